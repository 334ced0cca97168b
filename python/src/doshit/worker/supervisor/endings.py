"""Decides what becomes of a task when its run has ended: finished, or run again. Sends nothing itself.

returned a value                            -> finished, successful
raised, and its policy has a retry left     -> retry
raised; bad arguments; no JSON; too large   -> finished, failed, with the run's own code
over a limit, ended from within or killed   -> retry, or finished: time-limit, memory-limit
its process died                            -> retry, or finished: exited
its process died, other runs beside it      -> release, uncounted: no fault of the run, or nobody knows
cancelled, running or not                   -> finished: cancelled
worker stopping, fork server gone, sealed   -> release (Supervisor): no fault of the run
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from doshit.commands import Claimed
from doshit.values.states import ErrorCode
from doshit.worker.supervisor.children import Child, Report, Told
from doshit.worker.supervisor.limiter import CODES
from doshit.worker.supervisor.logs import about, readable
from doshit.worker.supervisor.policies import Policies
from doshit.worker.supervisor.settler import Settler, failure
from doshit.worker.wire import RETURNED, USAGE

log = logging.getLogger("doshit.worker")


class Endings:
    """close(claim) ends what a run tells, and answers how many bytes it wrote."""

    def __init__(self, settler: Settler, policies: Policies, close: Callable[[bytes], int]) -> None:
        self._settler, self._policies, self._close = settler, policies, close
        self._usage: dict[bytes, tuple[int, int]] = {}

    def take(self, told: Iterable[Told]) -> None:
        """Takes what runs told of their use of the machine; it comes just before their reports."""
        for task, kind, payload in told:
            if kind == USAGE:
                self._usage[task.claim] = payload

    def reported(self, report: Report) -> None:
        """A run has ended by itself."""
        task, kind, _, payload, stopped = report
        if kind == RETURNED:
            extras = self._extras(task)
            fields = ("result", "successful", "result-value", payload, *extras) if extras else (payload,)
            return self._settler.end(task, fields)
        code, reason, trace, again = payload
        if stopped and code in (ErrorCode.TIME_LIMIT, ErrorCode.MEMORY_LIMIT):
            reason = stopped
        elif code == ErrorCode.MEMORY_LIMIT:  # one allocation, refused before anybody had looked
            reason = f"memory limit of {self._limit(task):,} bytes would be passed by far; {reason}"
        self._failed(task, code, reason, trace, again)

    def died(self, task: Claimed, how: str, child: Child, sequence: int) -> None:
        """The process of a run has died under it. how: the signal or the exit status, for a person."""
        code, reason = ErrorCode.EXITED, how
        stopping = child.stopping.get(sequence)
        if stopping is not None:
            code = CODES[stopping.why]
            reason = f"{stopping.reason}; it did not end by itself and was killed"
            if child.used is not None:
                self._usage[task.claim] = child.used
        elif child.slots and len(child.runs) > 1:
            return self._fell_beside(task, child)
        self._failed(task, code, reason, "", None)

    def _fell_beside(self, task: Claimed, child: Child) -> None:
        """A neighbour in the same process was killed: no fault of this run. Or one crashed, and nobody knows which."""
        if not child.stopping:
            self._policies.suspect([task.id])
        self._close(task.claim)
        self._settler.release([task])

    def cancelled(self, task: Claimed) -> None:
        """A task was cancelled that this worker holds and has not begun."""
        self._settler.end(task, failure(ErrorCode.CANCELLED, "cancelled before it ran"))

    def _limit(self, task: Claimed) -> int:
        wishes = self._policies.wishes(task)
        return (wishes.memory_limit or 0) if wishes is not None else 0

    def _failed(self, task: Claimed, code: str, reason: str, trace: str, again: float | bool | None) -> None:
        wait = None if code == ErrorCode.CANCELLED else self._policies.retry_in(task, code, again)
        extras = self._extras(task)
        if wait is None:
            log.info("task %s failed: %s: %s", name_of(task), code, reason, extra=about(task.id))
            self._settler.end(task, (*failure(code, reason, trace), *extras))
            return
        text = "task %s failed: %s: %s; it runs again in %.1f s"
        log.info(text, name_of(task), code, reason, wait, extra=about(task.id))
        self._settler.retry(task, wait, json.dumps({"attempt": int(task.attempts), "code": code, "reason": reason}))

    def _extras(self, task: Claimed) -> list[Any]:
        """What is kept of a run besides its end; most leave nothing."""
        output = self._close(task.claim)
        usage = self._usage.pop(task.claim, None) if self._usage else None
        if not output and usage is None:
            return []
        fields: list[Any] = ["output", output] if output else []
        if usage is not None:
            fields += ["cpu-time", f"{usage[0] / 1e6:.3f}"]
            fields += ["memory-peak", usage[1]] if usage[1] else []
        return fields


def name_of(task: Claimed) -> str:
    """A task as the log names it."""
    return f"{readable(task.id)} {readable(task.function)}"
