"""The supervisor's end of one child: gives it runs, takes back those not begun, reads its reports. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from doshit.commands import Claimed
from doshit.worker.wire import FAILED, READ_SIZE, READY, RETURNED, BrokenFrame, FrameReader, frame, read_tokens, tokens

# (task, kind, microseconds, payload), as wire.py says of a child's messages.
Report = tuple[Claimed, int, int, Any]


def _checked(message: Any) -> tuple[int, int, int, Any]:
    """The message, if it is one of a child's. Raises BrokenFrame."""
    try:
        sequence, kind, micros, payload = message
        good = type(sequence) is int and type(micros) is int
        if kind == RETURNED:
            good = good and type(payload) is bytes
        elif kind == FAILED:
            code, reason, trace = payload
            good = good and type(code) is str and type(reason) is str and type(trace) is str
    except (TypeError, ValueError):
        good = False
    if not good:
        raise BrokenFrame("a message of no known form")
    return sequence, kind, micros, payload


class Child:
    """One warm process, forked by the fork server with the pid `nursery`.

    runs: what it was given and has neither reported nor given back, in order; the first of them is running.
    """

    def __init__(self, number: int, nursery: int, on_change: Callable[[Child], None]) -> None:
        self.number, self.nursery = number, nursery
        self.pid: int | None = None
        self.ready = False
        self.retiring = False
        self.gone = False
        self.broken = False
        self.runs: dict[int, Claimed] = {}
        self.progress_at = time.monotonic()
        self._on_change = on_change
        self._next = 1
        self._out = bytearray()
        self._reader = FrameReader()
        self._channel, self._their_channel = socket.socketpair()
        self._token_read, self._token_write = os.pipe()
        for fd in (self._token_read, self._token_write):
            # The read end is shared with the child: whoever finds it empty must not wait, the other was first.
            os.set_blocking(fd, False)
        self._channel.setblocking(False)

    def descriptors(self) -> tuple[int, int]:
        """What the fork server hands to the new process: its end of the channel, the pipe of tokens."""
        return self._their_channel.fileno(), self._token_read

    def handed_over(self) -> None:
        """The new process has its descriptors: our copy is closed, so that its death is an end of file."""
        self._their_channel.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def idle(self) -> bool:
        return self.ready and not self.retiring and not self.runs

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def give(self, tasks: Sequence[Claimed]) -> None:
        """Hands it a batch: one frame, then a token for each run."""
        if not self.runs:
            self.progress_at = time.monotonic()
        first = self._next
        self._next += len(tasks)
        sequence = range(first, self._next)
        jobs = [(n, t.id, t.function, t.args, t.claim, t.attempts) for n, t in zip(sequence, tasks, strict=True)]
        self.runs.update(zip(sequence, tasks, strict=True))
        self._out += frame(jobs)
        self.flush()
        os.write(self._token_write, tokens(sequence))

    def flush(self) -> None:
        """Writes what the channel takes now. A child that is gone is seen when it is read."""
        was_waiting = bool(self._out)
        while self._out:
            try:
                sent = self._channel.send(self._out)
            except BlockingIOError:
                break
            except OSError:
                self._out.clear()
                break
            del self._out[:sent]
        if was_waiting and self._out:
            self._on_change(self)

    def take_back(self, leave_one: bool = False) -> list[Claimed]:
        """The runs it has not begun, oldest first; from now on they are not its own.

        leave_one: if it has begun none, the first stays: it was handed over to be run at once.
        """
        if self._token_read < 0:
            return []
        try:
            data = os.read(self._token_read, 65536)
        except BlockingIOError:
            return []
        sequence = read_tokens(data)
        if leave_one and len(sequence) == len(self.runs):
            os.write(self._token_write, tokens(sequence[:1]))
            del sequence[0]
        return [self.runs.pop(number) for number in sequence]

    def receive(self) -> tuple[list[Report], list[tuple[int, Any]], bool]:
        """Its reports since the last time, its notices (kind, payload), and whether its stream has ended (gone).

        Raises BrokenFrame when what it sent is no message: user code wrote where only this package may.
        """
        reports: list[Report] = []
        notices: list[tuple[int, Any]] = []
        while not self.gone:
            try:
                data = self._channel.recv(READ_SIZE)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.gone = True
                break
            for message in self._reader.feed(data):
                sequence, kind, micros, payload = _checked(message)
                if not sequence:
                    notices.append((kind, payload))
                elif sequence in self.runs:
                    reports.append((self.runs.pop(sequence), kind, micros, payload))
                else:
                    raise BrokenFrame(f"a report of run {sequence}, which it does not have")
            if len(data) < READ_SIZE:
                break
        if reports or notices:
            self.progress_at = time.monotonic()
            self.ready = self.ready or any(kind == READY for kind, _ in notices)
        return reports, notices, self.gone

    def kill(self) -> None:
        """SIGKILL. Its end comes like any other."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Closes our ends: a living child ends when it next asks for a token."""
        self._channel.close()
        self._their_channel.close()
        for fd in (self._token_read, self._token_write):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._token_read = self._token_write = -1
