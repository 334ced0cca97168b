"""Decides when to claim, how much, and when to wait instead. Hands what it got to the dispatcher; runs nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from doshit.commands import Claimed, ClaimReply, claim
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL
from doshit.worker.supervisor.dispatcher import Dispatcher
from doshit.worker.supervisor.session import Refused, Session
from doshit.worker.supervisor.waits import Wait

log = logging.getLogger("doshit.worker")

CLAIM_MOST = 200
CLAIM_BYTES = 1 << 20
_WORTH_A_CALL = 32  # room below which a busy worker does not ask yet
_IN_FLIGHT = 2
_PAUSE = 1.0


class Fetcher:
    """on_tasks hears what was claimed; on_lost_id hears "sealed" or "unknown" (register again)."""

    def __init__(
        self,
        session: Session,
        keys: Keys,
        queues: Sequence[str],
        dispatcher: Dispatcher,
        result_ttl: int,
        args_cap: int,
    ) -> None:
        self._session, self._keys, self._queues = session, keys, queues
        self._dispatcher, self._result_ttl, self._args_cap = dispatcher, result_ttl, args_cap
        self.worker = ""
        self.waits: list[Wait] = []
        self.on_tasks: Callable[[list[Claimed]], None] = lambda tasks: None
        self.on_lost_id: Callable[[str], None] = lambda state: None
        self.stopped = False
        self.drained = False  # the last claim found less than it asked for
        self.in_flight = 0
        self._request = 0
        self._moved: list[tuple[str, bytes]] = []
        self._bad_until: dict[str, float] = {}
        self._not_before = 0.0

    def begin(self, worker: str) -> None:
        """Fetches under this worker id from now on."""
        self.worker, self._request = worker, 0

    def arrived(self, queue: str, id: bytes) -> None:
        """A wait moved this id to executing; it is claimed with the next call."""
        self._moved.append((queue, id))
        self.drained = False

    @property
    def has_moved(self) -> bool:
        return bool(self._moved)

    def claim(self, room: int, now: float) -> None:
        """Claims if there is room and something may be there."""
        if (self._moved and self.in_flight < _IN_FLIGHT) or self._may_claim(room, now):
            self._claim(room, now)

    def room(self, now: float) -> int:
        """How many more tasks this worker wants."""
        return 0 if self.stopped else self._dispatcher.room(now)

    def _may_claim(self, room: int, now: float) -> bool:
        if not room or self.drained or now < self._not_before or self.in_flight >= _IN_FLIGHT:
            return False
        return room >= _WORTH_A_CALL or room * 2 >= self._dispatcher.queued()

    def _claim(self, room: int, now: float) -> None:
        moved, self._moved = self._moved, []
        queues = [queue for queue in self._queues if self._bad_until.get(queue, 0.0) <= now]
        asked = min(room, CLAIM_MOST)
        self._request += 1
        self.in_flight += 1
        worker = self.worker
        call = claim(
            self._keys, worker, self._request, asked, queues, moved=moved, max_bytes=CLAIM_BYTES,
            args_cap=self._args_cap, result_ttl=self._result_ttl, failed_ttl=FAILED_TTL,
        )  # fmt: skip
        self._session.call(call, lambda reply: self._claimed(reply, asked, moved, worker))

    def _claimed(
        self,
        reply: ClaimReply | Refused,
        asked: int,
        moved: list[tuple[str, bytes]],
        worker: str,
    ) -> None:
        self.in_flight -= 1
        if isinstance(reply, Refused):
            log.warning("Redis refuses to hand out tasks, trying again: %s", reply)
            self._moved = moved + self._moved
            self._not_before = time.monotonic() + _PAUSE
            return
        if reply.state != "claimed":
            if worker == self.worker:
                self._moved = moved + self._moved
                self.on_lost_id(reply.state)
            return
        for queue, problem in reply.problems:
            log.error("queue %s is left out for %g s: %s", queue, _PAUSE * 5, problem)
            self._bad_until[queue] = time.monotonic() + _PAUSE * 5
        self.drained = reply.looked < asked + len(moved) if asked else self.drained
        if reply.tasks:
            self.on_tasks(reply.tasks)

    def wait(self, room: int, now: float) -> None:
        """One wait a queue while the queues are empty and a child is free. What comes beyond that goes back soon."""
        for wait in self.waits:
            if room and self.drained and not self._moved and self._bad_until.get(wait.queue, 0.0) <= now:
                wait.arm(now)
            elif not room and (command := wait.unblock()):
                self._session.call(command, lambda reply: None)
            wait.tick(now)

    def look_again(self) -> None:
        """Something may have come that no wait sees (parked tasks, another worker's): claim once more."""
        self.drained = False
