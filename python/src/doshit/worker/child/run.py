"""Runs one task: find, decode, perform, encode. Every way it can go becomes one report; nothing escapes."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from doshit.client.current import mark_cancelled, set_running
from doshit.errors import Cancel, Retry, TaskCancelled, TimeLimitExceeded
from doshit.values.codec import encode_result
from doshit.values.states import ErrorCode
from doshit.worker.child.explain import Failure, explain
from doshit.worker.process import data_bytes, peak_bytes, reset_peak, resident_bytes
from doshit.worker.wire import CANCELLED, FAILED, MEMORY, RETURNED, TIME, Job, Wishes

if TYPE_CHECKING:
    from doshit.client import Task

Report = tuple[int, int, int, Any]
Usage = tuple[int, int]

_LONG = 100_000  # microseconds of a run from which its use of the processor is told without being asked for
_NET = 512 << 20  # bytes above four limits at which an allocation is refused outright


def stop_error(why: int) -> BaseException:
    """What is raised inside a run that shall end."""
    if why == TIME:
        return TimeLimitExceeded("the time limit of this run is over")
    if why == MEMORY:
        return MemoryError("the memory limit of this run is passed")
    return TaskCancelled("this task was cancelled")


class Runner:
    """The functions of one child. An event loop is made when the first `async def` runs, and kept.

    running: the sequence number of the run whose code is being performed, 0 for none; interrupt raises an error in it.
    """

    def __init__(
        self, registry: Mapping[str, Task[..., Any]], result_cap: int, interrupt: Callable[[BaseException], None]
    ) -> None:
        self._tasks = {name.encode(): task for name, task in registry.items()}
        self._result_cap, self._interrupt = result_cap, interrupt
        self._loop: asyncio.Runner | None = None
        self._coroutine: asyncio.Task[Any] | None = None
        self._stopped = 0
        self.running = 0
        self.usage: Usage | None = None

    def run(self, job: Job) -> Report:
        """Runs a job to its report: (sequence number, RETURNED or FAILED, microseconds, payload)."""
        sequence, id, name, raw, claim, attempt, wishes = job
        watch = None
        if wishes is None:
            self._current = set_running((id, name, claim, attempt))
        else:
            wished = Wishes(*wishes)
            deadline = None if wished.time_limit is None else time.monotonic() + wished.time_limit
            self._current = set_running((id, name, claim, attempt, deadline, wished.username, wished.traceparent))
            watch = Watch(wished)
        self._stopped, self.usage = 0, None
        begun, cpu = time.perf_counter_ns(), time.process_time_ns()
        kind, payload = self._outcome(sequence, name, raw, watch)
        micros = (time.perf_counter_ns() - begun) // 1000
        if watch is not None or micros >= _LONG:
            self.usage = (time.process_time_ns() - cpu) // 1000, watch.peak() if watch else 0
        return sequence, kind, micros, payload

    def _outcome(self, sequence: int, name: bytes, raw: bytes, watch: Watch | None) -> tuple[int, Any]:
        try:
            try:
                result = self._perform(sequence, name, raw)
            finally:
                self.running = 0
                if watch is not None:
                    watch.lift()
            if isinstance(result, (Retry, Cancel)):
                return FAILED, self._failure(result, name)
            encoded = encode_result(result)
        except BaseException as error:  # a task may raise anything; nothing escapes
            self.running = 0
            if watch is not None and watch.has_net and isinstance(error, MemoryError):
                self._stopped = MEMORY
            return FAILED, self._failure(error, name)
        return self._within_cap(encoded)

    def _perform(self, sequence: int, name: bytes, raw: bytes) -> Any:
        task = self._tasks[name]
        positional, keywords = task.signature.decode(raw)
        self.running = sequence
        value = task.function(*positional, **keywords)
        return self._await(value) if task.is_async else value

    def _within_cap(self, encoded: bytes) -> tuple[int, Any]:
        if len(encoded) <= self._result_cap:
            return RETURNED, encoded
        reason = f"result: {len(encoded)} bytes, at most {self._result_cap}; store it elsewhere and return where it is"
        return FAILED, (ErrorCode.RESULT_TOO_LARGE, reason, "", None)

    def _failure(self, error: BaseException, name: bytes) -> Failure:
        task = self._tasks.get(name)
        return explain(error, name, self._stopped, task.policy if task is not None else None)

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
        if why == CANCELLED and self._current is not None:
            mark_cancelled(self._current)
        if self._coroutine is not None:
            self._coroutine.get_loop().call_soon_threadsafe(self._coroutine.cancel)
        else:
            self._interrupt(stop_error(why))


class Watch:
    """The limits of one run, seen from inside: its memory at most, and a net far above a memory limit."""

    def __init__(self, wishes: Wishes) -> None:
        reset_peak()
        self._before = resident_bytes()
        self.has_net = wishes.memory_limit is not None
        self._lifted: tuple[int, int] | None = None
        if wishes.memory_limit is not None:
            # One huge allocation would be there before anybody has looked. A tight net is none: it counts the stacks of
            # threads that are never touched.
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            net = data_bytes() + 4 * wishes.memory_limit + _NET
            if (soft == resource.RLIM_INFINITY or net < soft) and (hard == resource.RLIM_INFINITY or net < hard):
                self._lifted = soft, hard
                resource.setrlimit(resource.RLIMIT_DATA, (net, hard))

    def lift(self) -> None:
        """Takes the net away: the result is encoded without it."""
        if self._lifted is not None:
            resource.setrlimit(resource.RLIMIT_DATA, self._lifted)
            self._lifted = None

    def peak(self) -> int:
        """Bytes at most that the run added."""
        return max(0, peak_bytes() - self._before)
