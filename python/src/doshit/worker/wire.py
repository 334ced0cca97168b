"""What supervisor, fork server and child say to each other: framed MessagePack, tokens and orders. No I/O.

A batch goes to a child in one frame; then one token per task goes into a pipe whose read end the supervisor keeps open
too. Reading a token IS beginning its run, so the supervisor takes back what has not begun by reading the same pipe. An
order says which run shall end and why; a signal tells the child to read it, and it counts only for the run it names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from doshit.errors import DoshitError

TOKEN_BYTES = 8
READ_SIZE = 1 << 16  # more would be mapped and unmapped by malloc at every read
_LENGTH = struct.Struct("<I")
_ORDER = struct.Struct("<QB")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
decode_message = msgspec.msgpack.Decoder(tuple[int, int, int, Any]).decode
"""Reads a message from a child; what has another form is no message."""

# Kinds of messages from a child: (sequence number, kind, microseconds, payload).
RETURNED: Literal[0] = 0  # payload: the result as JSON bytes
FAILED: Literal[1] = 1  # payload: (error-code, reason, traceback, again: None, True, or seconds until the next run)
READY: Literal[2] = 2  # payload: None; the child may be given tasks
RECYCLE: Literal[3] = 3  # payload: why; the child begins nothing more and ends
BROKEN: Literal[4] = 4  # payload: traceback; the child could not start
OUTPUT: Literal[5] = 5  # payload: (stream, microseconds since 1970, text, or bytes as a descriptor gave them)
PROGRESS: Literal[6] = 6  # payload: JSON
USAGE: Literal[7] = 7  # payload: (microseconds of CPU, bytes of memory at most or 0); it comes before the report

# Why a run shall end.
TIME, MEMORY, CANCELLED = 1, 2, 3


class Wishes(NamedTuple):
    """What is unusual about a run: its limits in seconds and bytes, and who asked."""

    time_limit: float | None
    memory_limit: int | None
    username: bytes | None
    traceparent: bytes | None


# One task on its way to a child: sequence number, id, function, args, claim, attempts, wishes.
Job = tuple[int, bytes, bytes, bytes, bytes, bytes, Sequence[Any] | None]


class Terms(NamedTuple):
    """What a worker's settings say to its children; sizes in bytes.

    recycle_runs, recycle_growth: when a child has served enough; output_cap: how much of a run's output is kept, 0:
    nothing is captured; result_cap: how large a result may be; reason_cap, traceback_cap: characters of these.
    """

    recycle_runs: int | None
    recycle_growth: int
    output_cap: int
    result_cap: int
    reason_cap: int
    traceback_cap: int


class BrokenFrame(DoshitError):
    """Bytes on an internal socket that are no frame: user code wrote to a descriptor that is not its own."""


def frame(message: Any) -> bytes:
    """A message as bytes, length first."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


FRAME_MOST = 64 << 20  # bytes; far over any batch or report: a longer length is no length


class FrameReader:
    """Turns a stream of bytes back into messages. decode: what reads the body of one."""

    __slots__ = ("_buffer", "_decode")

    def __init__(self, decode: Callable[[bytes], Any] = _decode) -> None:
        self._buffer, self._decode = b"", decode

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete now. Raises BrokenFrame."""
        buffer = self._buffer + data if self._buffer else data
        messages, at, end = [], 0, len(buffer)
        try:
            while end - at >= 4:
                (length,) = _LENGTH.unpack_from(buffer, at)
                if length > FRAME_MOST:
                    raise BrokenFrame(f"a frame of {length} bytes")
                if end - at - 4 < length:
                    break
                messages.append(self._decode(buffer[at + 4 : at + 4 + length]))
                at += 4 + length
        except msgspec.MsgspecError as error:
            raise BrokenFrame(f"bytes that are no message: {error}") from None
        self._buffer = buffer[at:]
        return messages


def tokens(sequence_numbers: Sequence[int]) -> bytes:
    """The tokens of a batch, in one write that no reader sees half of (below PIPE_BUF)."""
    return struct.pack(f"<{len(sequence_numbers)}Q", *sequence_numbers)


def read_tokens(data: bytes) -> list[int]:
    """The sequence numbers in what was read from a token pipe."""
    return list(struct.unpack(f"<{len(data) // TOKEN_BYTES}Q", data))


def order(sequence: int, why: int) -> bytes:
    """An order to end a run, in one write that no reader sees half of."""
    return _ORDER.pack(sequence, why)


def read_orders(data: bytes) -> list[tuple[int, int]]:
    """The (sequence number, why) in what was read from a pipe of orders."""
    return list(_ORDER.iter_unpack(data))
