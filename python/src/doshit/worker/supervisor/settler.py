"""Sends what becomes of tasks to Redis, grouped: finish, retry, release, park. Decides nothing, runs nothing."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from doshit.commands import Claimed, End, finish, park, release, retry
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL, ErrorCode
from doshit.worker.supervisor.logs import about, readable
from doshit.worker.supervisor.session import Refused, Session

log = logging.getLogger("doshit.worker")

FINISH_MOST = 250  # ends a call
_RETRY_AFTER = 0.5

Again = Callable[[Sequence[Claimed]], None]


def failure(code: str, reason: str, trace: str = "") -> tuple[str, ...]:
    """The fields of a failed task."""
    fields = ("result", "failed", "error-code", code, "error-reason", reason)
    return (*fields, "error-exception", trace) if trace else fields


class Settler:
    """The ends of this worker's runs on their way to Redis. unsettled: how many are not confirmed yet."""

    def __init__(self, session: Session, keys: Keys, worker: Callable[[], str], result_ttl: int) -> None:
        self._session, self._keys, self._worker, self._result_ttl = session, keys, worker, result_ttl
        self._ends: list[End] = []
        self._again: list[tuple[float, Sequence[Claimed], Again]] = []
        self._first_at = 0.0
        self._retry_at = 0.0
        self.unsettled = 0

    def end(self, task: Claimed, fields: Sequence[bytes | str]) -> None:
        """Takes the end of one run: its value alone, or field, value, ..., `result` first."""
        if not self._ends:
            self._first_at = time.monotonic()
        self._ends.append(End(task.id, task.claim, fields))
        self.unsettled += 1

    def retry(self, task: Claimed, delay: float, failure: str) -> None:
        """Has a task run again after so many seconds. failure: what is kept of the run that failed, JSON."""
        self._retry([task], f"{delay:.3f}", failure)

    def _retry(self, tasks: Sequence[Claimed], delay: str, failure: str) -> None:
        self.unsettled += len(tasks)
        call = retry(self._keys, self._worker(), [(task.id, task.claim, delay, failure) for task in tasks])
        again = partial(self._retry, delay=delay, failure=failure)
        self._session.call(call, partial(self._given_back, tasks, again))

    def waiting(self) -> int:
        """How many ends have not been sent."""
        return len(self._ends)

    def age(self, now: float) -> float:
        """Seconds that the first of the waiting ends has waited."""
        return now - self._first_at if self._ends else 0.0

    def flush(self, now: float) -> None:
        """Sends all that has arrived, in calls of bounded size."""
        if now < self._retry_at:
            return
        while self._ends:
            ends, self._ends = self._ends[:FINISH_MOST], self._ends[FINISH_MOST:]
            call = finish(self._keys, self._worker(), ends, result_ttl=self._result_ttl, failed_ttl=FAILED_TTL)
            self._session.call(call, partial(self._settled, ends))

    def _settled(self, ends: list[End], words: list[str] | Refused) -> None:
        if isinstance(words, Refused):
            log.error("finish was refused, trying again: %s", words)
            self._ends = ends + self._ends
            self._retry_at = time.monotonic() + _RETRY_AFTER
            return
        self.unsettled -= len(ends)
        for end, word in zip(ends, words, strict=True):
            if word == "stale":
                text = "task %s: its end came too late, another run owns it"
                log.warning(text, readable(end.id), extra=about(end.id))

    def release(self, tasks: Sequence[Claimed], begun: bool = False) -> None:
        """Gives tasks back to the front of their queues, as they were claimed. begun: their runs count as attempts."""
        if not tasks:
            return
        tasks = sorted(tasks, key=_claimed_at)
        self.unsettled += len(tasks)
        call = release(self._keys, self._worker(), [(t.id, t.claim, "", begun) for t in tasks])
        self._session.call(call, partial(self._given_back, tasks, partial(self.release, begun=begun)))

    def park(self, tasks: Sequence[Claimed], grace: float, known: frozenset[bytes]) -> None:
        """Sets aside tasks whose function this worker lacks; fails those whose grace is over."""
        if not tasks:
            return
        self.unsettled += len(tasks)
        call = park(self._keys, self._worker(), grace, [(t.id, t.claim, t.function) for t in tasks])
        self._session.call(call, partial(self._parked, tasks, grace, known))

    def _parked(
        self, tasks: Sequence[Claimed], grace: float, known: frozenset[bytes], words: list[str] | Refused
    ) -> None:
        if not isinstance(words, Refused):
            for task, word in zip(tasks, words, strict=True):
                if word == "unknown":
                    self.end(task, failure(ErrorCode.UNKNOWN_FUNCTION, unknown_reason(task.function, known)))
        self._given_back(tasks, partial(self.park, grace=grace, known=known), words)

    def _given_back(self, tasks: Sequence[Claimed], again: Again, words: list[str] | Refused) -> None:
        """What could not go back is still held: it is sent again a little later."""
        if isinstance(words, Refused):
            why, held = str(words), tasks
        else:
            why = "a key is of the wrong type"
            held = [task for task, word in zip(tasks, words, strict=True) if word == "wrong-type"]
        if held:
            log.error("%d tasks cannot go back to their queue, trying again: %s", len(held), why)
            self._again.append((time.monotonic() + _RETRY_AFTER, held, again))
        self.unsettled -= len(tasks) - len(held)

    def tick(self, now: float) -> None:
        """Sends again what could not go back."""
        if self._again and self._again[0][0] <= now:
            _, tasks, again = self._again.pop(0)
            self.unsettled -= len(tasks)
            again(tasks)


def _claimed_at(task: Claimed) -> tuple[int, int]:
    """Which claim of this worker brought it, and as the how many: the end of its token."""
    request, _, n = task.claim.rpartition(b"/")[2].partition(b".")
    return int(request.rpartition(b":")[2]), int(n)


def unknown_reason(function: bytes, known: frozenset[bytes]) -> str:
    """One line that names the function and the nearest ones there are."""
    name = function.decode(errors="backslashreplace")
    names = sorted(one.decode(errors="backslashreplace") for one in known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    shown = near or names[:5]
    kind = "did you mean" if near else "this worker serves"
    return f"no worker serves a function {name[:100]!r}; {kind} {', '.join(shown) or 'none'}"
