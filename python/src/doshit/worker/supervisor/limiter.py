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
_AGAIN = 1.0  # seconds from a kill to the next: one that sits in the kernel dies when it comes out
_SAMPLE = 0.025  # seconds between two looks at the memory of a run with a limit

CODES = {TIME: ErrorCode.TIME_LIMIT, MEMORY: ErrorCode.MEMORY_LIMIT, CANCELLED: ErrorCode.CANCELLED}


class Limiter:
    """children: all of the worker, by number."""

    def __init__(self, children: Mapping[int, Child]) -> None:
        self._children = children
        self._sample_at = 0.0

    def tick(self, now: float) -> None:
        """Looks at every run that has a limit, was told to end, or has turned out long."""
        sample = now >= self._sample_at
        if sample:
            self._sample_at = now + _SAMPLE
        for child in list(self._children.values()):
            child.measure_long(now)
            if child.stopping:
                self._insist(child, now)
            if child.wishes and child.ready:
                for sequence, began in list(child.running().items()):
                    if sequence in child.wishes and sequence not in child.stopping:
                        self._look(child, sequence, now - began, now, sample)

    def _look(self, child: Child, sequence: int, ran: float, now: float, sample: bool) -> None:
        wishes = child.wishes[sequence]
        if wishes.time_limit is not None and ran >= wishes.time_limit:
            reason = f"time limit of {wishes.time_limit:g} s passed: it ran for {ran:.2f} s"
            child.order(sequence, TIME, reason, now + GRACE)
        elif sample and wishes.memory_limit is not None:
            self._weigh(child, sequence, wishes, now)

    def _weigh(self, child: Child, sequence: int, wishes: Wishes, now: float) -> None:
        limit = wishes.memory_limit or 0
        added = child.memory_added(limit)
        if added > limit:
            reason = f"memory limit of {limit:,} bytes passed: it added {added:,} bytes"
            child.order(sequence, MEMORY, reason, now + MEMORY_GRACE)

    def _insist(self, child: Child, now: float) -> None:
        """Kills a child whose run was told to end and has not: it may sit in C, hold the GIL or be deaf to signals."""
        for sequence in child.running():
            stopping = child.stopping.get(sequence)
            if stopping is not None and now >= stopping.kill_at:
                child.kill()
                child.stopping[sequence] = stopping._replace(kill_at=now + _AGAIN)
                return

    def cancel(self, claims: Iterable[bytes], now: float) -> None:
        """Tells the runs with these claims to end."""
        wanted = set(claims)
        for child in self._children.values():
            for sequence, task in child.runs.items():
                if task.claim in wanted and sequence not in child.stopping:
                    child.order(sequence, CANCELLED, "cancelled while it ran", now + GRACE)

    def wake_in(self, now: float) -> float:
        """Seconds until tick may have something to do."""
        soonest = 3600.0
        for child in self._children.values():
            for stopping in child.stopping.values():
                soonest = min(soonest, stopping.kill_at - now)
            for sequence, began in child.running().items() if child.wishes else ():
                if (wishes := child.wishes.get(sequence)) and sequence not in child.stopping:
                    if wishes.memory_limit is not None:
                        soonest = min(soonest, _SAMPLE)
                    if wishes.time_limit is not None:
                        soonest = min(soonest, began + wishes.time_limit - now)
        return max(0.0, soonest)
