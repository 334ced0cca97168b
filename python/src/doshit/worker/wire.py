"""What supervisor, fork server and child say to each other: length-framed MessagePack, and 8-byte tokens. No I/O.

A batch goes to a child in one frame; then one token per task goes into a pipe whose read end the supervisor keeps open
too. Reading a token IS beginning its run, so the supervisor takes back what has not begun by reading the same pipe.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from doshit.errors import DoshitError

TOKEN_BYTES = 8
READ_SIZE = 1 << 16  # more would be mapped and unmapped by malloc at every read
_LENGTH = struct.Struct("<I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

# Kinds of messages from a child: (sequence number, kind, microseconds, payload).
RETURNED: Literal[0] = 0  # payload: the result as JSON bytes
FAILED: Literal[1] = 1  # payload: (error-code, reason, traceback)
READY: Literal[2] = 2  # payload: None; the child may be given tasks
RECYCLE: Literal[3] = 3  # payload: why; the child begins nothing more and ends
BROKEN: Literal[4] = 4  # payload: traceback; the child could not start

# One task on its way to a child: sequence number, id, function, args, claim, attempts.
Job = tuple[int, bytes, bytes, bytes, bytes, bytes]


class BrokenFrame(DoshitError):
    """Bytes on an internal socket that are no frame: user code wrote to a descriptor that is not its own."""


def frame(message: Any) -> bytes:
    """A message as bytes, length first."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


FRAME_MOST = 64 << 20  # bytes; far over any batch or report: a longer length is no length


class FrameReader:
    """Turns a stream of bytes back into messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

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
                messages.append(_decode(buffer[at + 4 : at + 4 + length]))
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
