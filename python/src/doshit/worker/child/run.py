"""Runs one task at a time: find, decode, perform, encode. Every way it can go becomes one report; nothing escapes."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import Any

from doshit.client.current import mark_cancelled, process_run, set_running
from doshit.worker.child.work import Outcome, Report, Work, stop_error
from doshit.worker.process import data_bytes, peak_bytes, reset_peak, resident_bytes
from doshit.worker.wire import CANCELLED, MEMORY, Job, Wishes

Usage = tuple[int, int]
"""Microseconds of the processor, bytes of memory."""

_LONG = 100_000  # microseconds of a run from which its use of the machine is told without being asked for
_SHORT = 1000  # microseconds of a run that says its function need not be measured: that would cost as much as it
_NET = 512 << 20  # bytes above four limits at which an allocation is refused outright


class Runner:
    """An event loop is made when the first `async def` runs, and kept.

    running: the sequence number of the run whose code is being performed, 0 for none; interrupt raises an error in it;
    usage: what the last run used, where that is worth telling.
    """

    def __init__(self, work: Work, interrupt: Callable[[BaseException], None]) -> None:
        self._work, self._interrupt = work, interrupt
        self._loop: asyncio.Runner | None = None
        self._coroutine: asyncio.Task[Any] | None = None
        self._stopped = 0
        self._short: set[bytes] = set()
        self.running = 0
        self.usage: Usage | None = None

    def run(self, job: Job) -> Report:
        """Runs a job to its report: (sequence number, RETURNED or FAILED, microseconds, payload)."""
        sequence, id, name, raw, claim, attempt, wishes = job
        net = None
        if wishes is None:
            set_running((id, name, claim, attempt))
        else:
            wished = Wishes(*wishes)
            deadline = None if wished.time_limit is None else time.monotonic() + wished.time_limit
            set_running((id, name, claim, attempt, deadline, wished.username, wished.traceparent))
            net = Net(wished.memory_limit) if wished.memory_limit is not None else None
        self._stopped, self.usage = 0, None
        meter = None if wishes is None and name in self._short else Meter()
        begun = time.perf_counter_ns()
        kind, payload = self._outcome(sequence, name, raw, net)
        micros = (time.perf_counter_ns() - begun) // 1000
        if meter is not None and (wishes is not None or micros >= _LONG):
            self.usage = meter.usage()
        if micros >= _LONG:
            self._short.discard(name)
        elif meter is not None and micros < _SHORT:
            self._short.add(name)
        return sequence, kind, micros, payload

    def _outcome(self, sequence: int, name: bytes, raw: bytes, net: Net | None) -> Outcome:
        try:
            try:
                task = self._work.tasks[name]
                positional, keywords = task.signature.decode(raw)
                self.running = sequence
                value = task.function(*positional, **keywords)
                if task.is_async:
                    value = self._await(value)
            finally:
                self.running = 0
                if net is not None:
                    net.lift()
            return self._work.close(value, name)
        except BaseException as error:  # a task may raise anything; nothing escapes
            self.running = 0
            if net is not None and isinstance(error, MemoryError):
                self._stopped = MEMORY
            return self._work.failed(error, name, self._stopped)

    def _await(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = asyncio.Runner()
        try:
            return self._loop.run(self._in_loop(coroutine))
        except asyncio.CancelledError:
            if self._stopped:
                raise stop_error(self._stopped) from None
            raise
        finally:
            self._coroutine = None

    async def _in_loop(self, coroutine: Any) -> Any:
        self._coroutine = asyncio.current_task()
        return await coroutine

    def stop(self, sequence: int, why: int) -> None:
        """Ends a run from within, if it is the one that runs. Called by the signal handler, so amid anything."""
        if sequence != self.running:
            return
        self._stopped = why
        if why == CANCELLED and (current := process_run()) is not None:
            mark_cancelled(current)
        if self._coroutine is not None:
            self._coroutine.get_loop().call_soon_threadsafe(self._coroutine.cancel)
        else:
            self._interrupt(stop_error(why))


class Meter:
    """What one run uses, seen from inside: time of the processor, with that of processes it waited for, and memory."""

    def __init__(self) -> None:
        reset_peak()
        self._resident, self._micros = resident_bytes(), _processor_micros()

    def usage(self) -> Usage:
        """The bytes are the most that this process had more than at the beginning."""
        return _processor_micros() - self._micros, max(0, peak_bytes() - self._resident)


def _processor_micros() -> int:
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() // 1000 + int((waited_for.ru_utime + waited_for.ru_stime) * 1_000_000)


class Net:
    """A net far above a memory limit: one huge allocation would be there before anybody has looked.

    A tight net is none: it counts the stacks of threads that are never touched.
    """

    def __init__(self, memory_limit: int) -> None:
        self._lifted: tuple[int, int] | None = None
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        net = data_bytes() + 4 * memory_limit + _NET
        if (soft == resource.RLIM_INFINITY or net < soft) and (hard == resource.RLIM_INFINITY or net < hard):
            self._lifted = soft, hard
            resource.setrlimit(resource.RLIMIT_DATA, (net, hard))

    def lift(self) -> None:
        """Takes the net away: the result is encoded without it."""
        if self._lifted is not None:
            resource.setrlimit(resource.RLIMIT_DATA, self._lifted)
            self._lifted = None
