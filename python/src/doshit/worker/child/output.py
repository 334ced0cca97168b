"""Catches what a run writes: sys.stdout, sys.stderr, logging, and the descriptors below them. Passes a bounded part on.

What Python writes is known by its run, also when many run at once. What C code and child processes write comes through
pipes that the supervisor reads while a run is long, and this child when a run ends: whoever reads it, it is that run's.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

STREAMS: tuple[Literal["stdout"], Literal["stderr"]] = ("stdout", "stderr")
_LINES_AT_ONCE = 100  # lines of a run that are told each by itself; then they are gathered
_GATHERED = 4096  # characters that are told together at the latest
_GATHERED_FOR = 0.05  # seconds that they may wait for more
_RAW_READ = 1 << 16
_RAW_READS = 16  # at a run's end; what a process that it left behind goes on writing has no end

Tell = Callable[[int, str, str | bytes], None]


class RawPipes(NamedTuple):
    """The descriptors of the pipes below stdout and stderr: two to read from, never blocking, and two to write to."""

    read_out: int
    read_err: int
    write_out: int
    write_err: int


class _Page:
    """What one run has written to one stream and not yet told."""

    __slots__ = ("lines", "text", "told_at")

    def __init__(self) -> None:
        self.text, self.lines, self.told_at = "", 0, 0.0

    def is_due(self, now: float) -> bool:
        if not self.text:
            return False
        if len(self.text) >= _GATHERED:
            return True
        return "\n" in self.text if self.lines < _LINES_AT_ONCE else now - self.told_at >= _GATHERED_FOR


class Output:
    """Everything that the runs of this child write. tell(sequence number, stream, text or raw bytes) passes it on.

    running: the sequence number of the run that is asking, 0 for none; cap: bytes of one run that are passed on.
    """

    def __init__(self, tell: Tell, running: Callable[[], int], cap: int) -> None:
        self._tell, self._running, self._cap = tell, running, cap
        self._pages: dict[tuple[int, str], _Page] = {}
        self._spent: dict[int, int] = {}
        self._raw: RawPipes | None = None
        self._beyond = 2  # where text of no run goes
        self._is_copy = False
        self._written: Callable[[float], object] = lambda seconds: False

    def take_over(self, raw: RawPipes, drains: bool) -> None:
        """From now on this process's stdout and stderr are caught.

        drains: what comes through the pipes belongs to the one run there is. Of many at once nobody knows whose it is.
        """
        if drains:
            self._raw, self._beyond = raw, os.dup(2)
        os.register_at_fork(after_in_child=self._in_copy)
        for stream, mine, number in zip(STREAMS, (raw.write_out, raw.write_err), (1, 2), strict=True):
            getattr(sys, stream).flush()
            os.dup2(mine, number)
            os.close(mine)
            setattr(sys, stream, _Caught(self, stream, number))
        self._written = _watch(raw.read_out, raw.read_err)
        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(_LogHandler(self))
            if root.level == logging.WARNING:
                root.setLevel(logging.INFO)

    def _in_copy(self) -> None:
        """A copy of this process, forked by a run, writes to the descriptors: the channel is for one speaker."""
        self._is_copy = True
        self._pages.clear()

    def write(self, stream: str, text: str) -> None:
        """Takes text of whichever run is asking. Text of no run goes where it would have gone."""
        run = self._running()
        if not run or self._is_copy:
            _write_all(self._beyond if not run else 1 if stream == "stdout" else 2, text)
            return
        page = self._pages.get((run, stream))
        if page is None:
            page = self._pages[run, stream] = _Page()
        page.text += text
        page.lines += 1
        if page.is_due(time.monotonic()):
            self._turn(run, stream, page)

    def flush(self, stream: str) -> None:
        run = self._running()
        page = self._pages.get((run, stream))
        if page is not None and page.lines < _LINES_AT_ONCE:
            self._turn(run, stream, page)

    def _turn(self, run: int, stream: str, page: _Page) -> None:
        text, page.text, page.told_at = page.text, "", time.monotonic()
        self._pass_on(run, stream, text)

    def _pass_on(self, run: int, stream: str, text: str | bytes) -> None:
        spent = self._spent.get(run, 0)
        room = self._cap + 1 - spent  # one more than is kept, so that the supervisor can say that there was more
        if not text or room <= 0:
            return
        self._spent[run] = spent + len(text)
        self._tell(run, stream, text[:room])

    def end(self, run: int) -> None:
        """Passes on what a run has left, before its report."""
        if self._pages:
            for stream in (*STREAMS, "log"):
                page = self._pages.pop((run, stream), None)
                if page is not None:
                    self._turn(run, stream, page)
        if self._raw is not None and self._written(0):
            self._drain(run, self._raw)
        if self._spent:
            self._spent.pop(run, None)

    def _drain(self, run: int, raw: RawPipes) -> None:
        for stream, fd in zip(STREAMS, (raw.read_out, raw.read_err), strict=True):
            self._pass_on(run, stream, _read_all(fd))

    def discard(self) -> None:
        """Drops what came through the pipes since the last run ended: it is no run's."""
        if self._raw is not None:
            for fd in (self._raw.read_out, self._raw.read_err):
                _read_all(fd)


def _write_all(fd: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(fd, data) :]


def _read_all(fd: int) -> bytes:
    """What is in a pipe now."""
    found = bytearray()
    with contextlib.suppress(BlockingIOError):
        for _ in range(_RAW_READS):
            found += os.read(fd, _RAW_READ)
    return bytes(found)


def _watch(*pipes: int) -> Callable[[float], object]:
    """What tells which of these can be read. epoll answers in one short call: this is asked after every run."""
    poll = select.epoll() if hasattr(select, "epoll") else select.poll()
    for fd in pipes:
        poll.register(fd, select.POLLIN)
    return poll.poll


class _Caught(io.TextIOBase):
    """In place of sys.stdout or sys.stderr. Its descriptor and `buffer` are those of the process."""

    def __init__(self, output: Output, stream: str, number: int) -> None:
        self._output, self._stream, self._number = output, stream, number
        self.buffer: Any = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115 - it lives as long as the process
        self.name = f"<{stream}>"

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._output.write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        self._output.flush(self._stream)

    def reconfigure(self, **options: object) -> None:
        """Takes what io.TextIOWrapper takes, since programs call it; there is nothing to set."""

    def fileno(self) -> int:
        return self._number

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


class _LogHandler(logging.Handler):
    """What is logged, where the target has set up no logging of its own."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.write("log", self.format(record) + "\n")
        except Exception:
            self.handleError(record)
