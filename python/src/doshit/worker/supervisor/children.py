"""The supervisor's end of one child: gives it runs, takes back those not begun, reads its reports. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from doshit.commands import Claimed
from doshit.worker.process import (
    anonymous_bytes,
    descendants,
    kill_family,
    peak_bytes,
    private_bytes,
    processor_micros,
    resident_bytes,
)
from doshit.worker.wire import (
    FAILED,
    OUTPUT,
    PROGRESS,
    READ_SIZE,
    READY,
    RETURNED,
    USAGE,
    BrokenFrame,
    FrameReader,
    Wishes,
    decode_message,
    frame,
    order,
    read_tokens,
    tokens,
)

_LONG = 0.02  # seconds after which what a run uses from there on is worth knowing

# (task, kind, microseconds, payload, why it was told to end or ""); the middle three as wire.py says.
Report = tuple[Claimed, int, int, Any, str]
# (task, kind, payload) of what a run tells before its end: OUTPUT, PROGRESS, USAGE.
Told = tuple[Claimed, int, Any]


class Stopping(NamedTuple):
    """A run that was told to end. why: as in wire.py; reason: one line; kill_at: when it is killed (monotonic)."""

    why: int
    reason: str
    kill_at: float


def _is_good(kind: int, payload: Any) -> bool:
    """Is this what such a message brings? Raises TypeError or ValueError for some that are not."""
    if kind in (RETURNED, PROGRESS):
        return type(payload) is bytes
    if kind == FAILED:
        code, reason, trace, again = payload
        return (
            type(code) is str
            and type(reason) is str
            and type(trace) is str
            and type(again) in (bool, float, type(None))
        )
    if kind == OUTPUT:
        stream, at, text = payload
        return stream in ("stdout", "stderr", "log") and type(at) is int and type(text) in (str, bytes)
    if kind == USAGE:
        micros, peak = payload
        return type(micros) is int and type(peak) is int
    return True


def _check(kind: int, payload: Any) -> None:
    """Raises BrokenFrame for what is no message of a child's."""
    try:
        good = _is_good(kind, payload)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise BrokenFrame("a message of no known form")


class Child:
    """One warm process, forked by the fork server with the pid `nursery`.

    runs: what it was given and has neither reported nor given back, in order; the first of them is running. slots: how
    many it runs at once, 0 for an ordinary one; with slots all of `runs` are running, since `began`. wishes: what is
    unusual about some runs; stopping: those told to end; is_alone: nothing may be put behind its run; served: how many
    runs it was given; used: (microseconds of processor time, bytes) of the run that it was killed in.
    """

    def __init__(self, number: int, nursery: int, on_change: Callable[[Child], None], slots: int = 0) -> None:
        self.number, self.nursery, self.slots = number, nursery, slots
        self.pid: int | None = None
        self.ready = False
        self.retiring = False
        self.gone = False
        self.broken = False
        self.runs: dict[int, Claimed] = {}
        self.wishes: dict[int, Wishes] = {}
        self.told: list[Told] = []
        self.stopping: dict[int, Stopping] = {}
        self.began: dict[int, float] = {}
        self.is_alone = False
        self.served = 0
        self.used: tuple[int, int] | None = None
        self._measured = 0
        self._before = 0, 0, 0
        self._memory_peak = 0
        self.progress_at = self.asked_at = time.monotonic()
        self._on_change = on_change
        self._handed_over = False
        self._next = 1
        self._out = bytearray()
        self._reader = FrameReader(decode_message)
        self._channel, self._their_channel = socket.socketpair()
        self._token_read, self._token_write = os.pipe()
        self._order_read, self._order_write = os.pipe()
        self._raw = {"stdout": os.pipe(), "stderr": os.pipe()}
        read_ends = [read for read, _ in self._raw.values()]
        for fd in (self._token_read, self._token_write, self._order_read, self._order_write, *read_ends):
            # The read ends are shared with the child: whoever finds one empty must not wait, the other was first.
            os.set_blocking(fd, False)
        self._channel.setblocking(False)

    def descriptors(self) -> tuple[int, ...]:
        """What the fork server hands to the new process, as Descriptors of the child's side names them."""
        reads, writes = zip(*self._raw.values(), strict=True)
        return self._their_channel.fileno(), self._token_read, self._order_read, *reads, *writes

    def handed_over(self) -> None:
        """The new process has its descriptors: our copies are closed, so that its death is an end of file."""
        self._their_channel.close()
        for fd in (self._order_read, *(write for _, write in self._raw.values())):
            os.close(fd)
        self._handed_over = True

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def serves(self) -> bool:
        """May it be given runs? Its pid, by which they can be ended, comes by another way than its word to be ready."""
        return self.ready and self.pid is not None and not self.retiring and not self.gone

    @property
    def idle(self) -> bool:
        return self.serves and not self.runs and not self.slots

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def give(self, tasks: Sequence[Claimed], wishes: Sequence[Wishes | None]) -> None:
        """Hands it a batch: one frame, then a token for each run."""
        if not self.runs:
            self.progress_at = time.monotonic()
        first = self._next
        self._next += len(tasks)
        self.served += len(tasks)
        sequence = range(first, self._next)
        self.runs.update(zip(sequence, tasks, strict=True))
        if any(wishes):
            if len(self.runs) == len(tasks):
                self.measure()
            self.wishes.update((n, wish) for n, wish in zip(sequence, wishes, strict=True) if wish is not None)
        jobs = zip(sequence, tasks, wishes, strict=True)
        self._out += frame([(n, t.id, t.function, t.args, t.claim, t.attempts, wish) for n, t, wish in jobs])
        self.flush()
        if self.slots:
            self.began.update(dict.fromkeys(sequence, time.monotonic()))
        else:
            os.write(self._token_write, tokens(sequence))

    @property
    def free_slots(self) -> int:
        return self.slots - len(self.runs) if self.serves else 0

    def running(self) -> dict[int, float]:
        """The sequence numbers of what is running, each with the moment it began (monotonic seconds)."""
        return self.began if self.slots else {self.head: self.progress_at} if self.runs else {}

    def measure(self) -> None:
        """Remembers what it has used until now, at the beginning of a run. What slots use is nobody's alone."""
        if self.pid is not None and not self.slots:
            self._measured, self._memory_peak = self.head, 0
            self._before = processor_micros(self.pid), resident_bytes(self.pid), anonymous_bytes((self.pid,))

    def measure_long(self, now: float) -> None:
        """The same for a run behind others that has turned out long; of a short one nobody will ask."""
        if self.runs and self._measured != self.head and now - self.progress_at >= _LONG:
            self.measure()

    def memory_added(self, limit: int) -> int:
        """Bytes that it and all below it have more than that, 0 if it has fewer.

        A copy that it has forked shares its pages, so what seems over the limit is looked at closely, which is dear.
        """
        if self.pid is None:
            return 0
        own, below = anonymous_bytes((self.pid,)) - self._before[2], descendants(self.pid)
        added = own + anonymous_bytes(below)
        if below and added > limit:
            added = own + private_bytes(below)
        self._memory_peak = max(self._memory_peak, added)
        return max(0, added)

    @property
    def head(self) -> int:
        """The sequence number of the run that is running, 0 for none."""
        return next(iter(self.runs), 0)

    def order(self, sequence: int, why: int, reason: str, kill_at: float) -> None:
        """Tells a run to end. It counts only if the child is still in that run when it reads this."""
        self.stopping[sequence] = Stopping(why, reason, kill_at)
        with contextlib.suppress(OSError):
            os.write(self._order_write, order(sequence, why))
            if self.pid is not None:
                os.kill(self.pid, signal.SIGUSR2)

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
        return [self._ended(number) for number in sequence]

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
            for sequence, kind, micros, payload in self._reader.feed(data):
                _check(kind, payload)
                if sequence and kind <= FAILED:
                    reports.append(self._report(sequence, kind, micros, payload))
                else:
                    self._sort(sequence, kind, payload, notices)
            if len(data) < READ_SIZE:
                break
        if reports or notices:
            self.is_alone = self.is_alone and bool(self.runs)
            self.progress_at = time.monotonic()
            self.ready = self.ready or any(kind == READY for kind, _ in notices)
        return reports, notices, self.gone

    def _report(self, sequence: int, kind: int, micros: int, payload: Any) -> Report:
        if sequence not in self.runs:
            raise BrokenFrame(f"a report of run {sequence}, which it does not have")
        stopping = self.stopping.get(sequence) if self.stopping else None
        return self._ended(sequence), kind, micros, payload, stopping.reason if stopping else ""

    def _sort(self, sequence: int, kind: int, payload: Any, notices: list[tuple[int, Any]]) -> None:
        if not sequence:
            notices.append((kind, payload))
        elif sequence in self.runs:  # a thread that a run has left behind may still tell something
            if kind == USAGE and sequence == self._measured:  # only from here what is below it is seen
                payload = payload[0], max(payload[1], self._memory_peak)
            self.told.append((self.runs[sequence], kind, payload))

    def _ended(self, sequence: int) -> Claimed:
        if self.wishes or self.stopping or self.began:
            for known in (self.wishes, self.stopping, self.began):
                known.pop(sequence, None)
        return self.runs.pop(sequence)

    def read_raw(self) -> list[tuple[str, bytes]]:
        """What was written to the descriptors below stdout and stderr since the last look: (stream, bytes)."""
        found = []
        for stream, (fd, _) in self._raw.items():
            with contextlib.suppress(OSError):  # BlockingIOError: nothing is there
                if data := os.read(fd, READ_SIZE):
                    found.append((stream, data))
        return found

    def kill(self) -> None:
        """SIGKILL, to it and all that is below it. Its end comes like any other."""
        if self.pid is not None:
            if self.runs and self._measured == self.head and self.used is None:
                self.used = self._use(self.pid)
            kill_family(self.pid)

    def _use(self, pid: int) -> tuple[int, int]:
        """What the run that is running has used; its own process begins the peak anew for a run with limits only."""
        cpu, resident, _ = self._before
        peak = max(self._memory_peak, peak_bytes(pid) - resident) if self.head in self.wishes else 0
        return sum(map(processor_micros, (pid, *descendants(pid)))) - cpu, peak

    def close(self) -> None:
        """Closes our ends: a living child ends when it next asks for a token."""
        self._channel.close()
        self._their_channel.close()
        mine = [self._token_read, self._token_write, self._order_write, *(read for read, _ in self._raw.values())]
        if not self._handed_over:
            mine += [self._order_read, *(write for _, write in self._raw.values())]
        for fd in mine:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._token_read = self._token_write = self._order_write = -1
        self._raw = {}
