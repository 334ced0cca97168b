"""Ends runs that are over their limit or were cancelled: from within first, by SIGKILL after a grace. Settles none.

The first run of a child is the one that runs, since its last report or since it was given; nothing of the user's has a
say in that clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from doshit.values.states import ErrorCode
from doshit.worker.supervisor.children import Child
from doshit.worker.wire import CANCELLED, MEMORY, TIME, Wishes

GRACE = 0.5  # seconds to end from within
MEMORY_GRACE = 0.2  # the same for memory, which goes on growing
_SAMPLE = 0.025  # seconds between two looks at the memory of a run with a limit

CODES = {TIME: ErrorCode.TIME_LIMIT, MEMORY: ErrorCode.MEMORY_LIMIT, CANCELLED: ErrorCode.CANCELLED}


class Limiter:
    """children: all of the worker, by number."""

    def __init__(self, children: Mapping[int, Child]) -> None:
        self._children = children
        self._sample_at = 0.0

    def tick(self, now: float) -> None:
        """Looks at every run that has a limit or was told to end."""
        sample = now >= self._sample_at
        if sample:
            self._sample_at = now + _SAMPLE
        for child in list(self._children.values()):
            if child.stopping is not None:
                self._insist(child, now)
            elif child.wishes:
                self._look(child, now, sample)

    def _look(self, child: Child, now: float, sample: bool) -> None:
        head = child.head
        wishes = child.wishes.get(head)
        if wishes is None or not child.ready:
            return
        ran = now - child.progress_at
        if wishes.time_limit is not None and ran >= wishes.time_limit:
            reason = f"time limit of {wishes.time_limit:g} s passed: it ran for {ran:.2f} s"
            child.order(head, TIME, reason, now + GRACE)
        elif sample and wishes.memory_limit is not None:
            self._weigh(child, head, wishes, now)

    def _weigh(self, child: Child, head: int, wishes: Wishes, now: float) -> None:
        limit, added = wishes.memory_limit or 0, child.memory_added()
        if added > limit:
            reason = f"memory limit of {limit:,} bytes passed: it added {added:,} bytes"
            child.order(head, MEMORY, reason, now + MEMORY_GRACE)

    def _insist(self, child: Child, now: float) -> None:
        """Kills a child whose run was told to end and has not: it may sit in C, hold the GIL or be deaf to signals."""
        stopping = child.stopping
        if stopping is not None and stopping.sequence == child.head and now >= stopping.kill_at:
            child.kill()

    def cancel(self, claims: Iterable[bytes], now: float) -> None:
        """Tells the runs with these claims to end."""
        wanted = set(claims)
        for child in self._children.values():
            for sequence, task in child.runs.items():
                if task.claim in wanted and child.stopping is None:
                    child.order(sequence, CANCELLED, "cancelled while it ran", now + GRACE)

    def wake_in(self, now: float) -> float:
        """Seconds until tick may have something to do."""
        soonest = 3600.0
        for child in self._children.values():
            if child.stopping is not None:
                soonest = min(soonest, child.stopping.kill_at - now)
            elif child.wishes and (wishes := child.wishes.get(child.head)):
                if wishes.memory_limit is not None:
                    soonest = min(soonest, _SAMPLE)
                if wishes.time_limit is not None:
                    soonest = min(soonest, child.progress_at + wishes.time_limit - now)
        return max(0.0, soonest)
