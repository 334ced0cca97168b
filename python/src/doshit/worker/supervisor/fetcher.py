"""Decides when to claim, how much, and when to wait instead. Hands what it got to the dispatcher; runs nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from doshit.commands import Call, Claimed, ClaimReply, claim
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL
from doshit.worker.supervisor.dispatcher import Dispatcher
from doshit.worker.supervisor.session import Refused, Session
from doshit.worker.supervisor.waits import Wait

log = logging.getLogger("doshit.worker")

CLAIM_MOST = 200
CLAIM_BYTES = 1 << 20
_WORTH_A_CALL = 32  # room below which a worker does not ask yet, unless something could begin at once
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
        self._request = 0  # one count for all: each wait sees it grow too
        self._bad_until: dict[str, float] = {}
        self._not_before = 0.0

    def begin(self, worker: str) -> None:
        """Fetches under this worker id from now on."""
        self.worker, self._request = worker, 0

    def claim(self, room: int, now: float) -> None:
        """Claims if there is room and something may be there."""
        if self._may_claim(room, now):
            queues = [queue for queue in self._queues if self._bad_until.get(queue, 0.0) <= now]
            asked = min(room, CLAIM_MOST)
            self._ask(self._call(asked, queues), partial(self._claimed, asked))

    def room(self, now: float) -> int:
        """How many more tasks this worker wants."""
        return 0 if self.stopped else self._dispatcher.room(now)

    def _may_claim(self, room: int, now: float) -> bool:
        if not room or self.drained or now < self._not_before or self.in_flight >= _IN_FLIGHT:
            return False
        return room >= _WORTH_A_CALL or room * 2 >= self._dispatcher.queued() or self._dispatcher.could_begin() > 0

    def _call(self, limit: int, queues: Sequence[str], wait: int | None = None) -> Call[ClaimReply]:
        self._request += 1
        return claim(
            self._keys, self.worker, self._request, limit, queues, wait=wait, max_bytes=CLAIM_BYTES,
            args_cap=self._args_cap, result_ttl=self._result_ttl, failed_ttl=FAILED_TTL,
        )  # fmt: skip

    def _ask(self, call: Call[ClaimReply], done: Callable[[ClaimReply], None]) -> None:
        self.in_flight += 1
        worker = self.worker

        def answered(reply: ClaimReply | Refused) -> None:
            self.in_flight -= 1
            if isinstance(reply, Refused):
                log.warning("Redis refuses to hand out tasks, trying again: %s", reply)
                self._not_before = time.monotonic() + _PAUSE
                self.drained = False
            elif worker == self.worker:
                done(reply)

        self._session.call(call, answered)

    def _claimed(self, asked: int, reply: ClaimReply) -> None:
        self.drained = reply.looked < asked if asked else self.drained
        self._take(reply)

    def _take(self, reply: ClaimReply) -> None:
        if reply.state != "claimed":
            self.drained = False
            self.on_lost_id(reply.state)
            return
        for queue, problem in reply.problems:
            log.error("queue %s is left out for %g s: %s", queue, _PAUSE * 5, problem)
            self._bad_until[queue] = time.monotonic() + _PAUSE * 5
        if reply.tasks:
            self.on_tasks(reply.tasks)

    def wait(self, room: int, now: float) -> None:
        """One wait a queue while the queues are empty and a child is free. What comes beyond that goes back soon."""
        for place, wait in enumerate(self.waits, 1):
            if not room:
                self._unblock(wait)
            elif self.drained and self._bad_until.get(wait.queue, 0.0) <= now and wait.is_ready(now):
                self._arm(wait, place, room, now)
            wait.tick(now)

    def _unblock(self, wait: Wait) -> None:
        command = wait.unblock()
        if command:
            self._session.call(command, lambda reply: None)

    def _arm(self, wait: Wait, place: int, room: int, now: float) -> None:
        # No more than begin at once: a worker that has stopped without a word takes no others with it.
        asked = -(-max(1, min(room, self._dispatcher.could_begin())) // len(self.waits))
        call = self._call(asked, [wait.queue], place)
        wait.on_reply = partial(self._came, self.worker, asked)
        wait.on_lost = partial(self._lost, self.worker, asked)
        wait.arm(call, f"{self.worker}/{place}:{self._request}.".encode(), now)

    def _came(self, worker: str, asked: int, reply: ClaimReply) -> None:
        if worker == self.worker:
            self._claimed(asked, reply)
        else:  # an older one of ours: what came is for the next claim
            self.drained = False

    def _lost(self, worker: str, asked: int, call: Call[ClaimReply]) -> None:
        if worker == self.worker:
            self._ask(call, partial(self._claimed, asked))
        else:  # what it took is recovered with that name
            self.drained = False

    def is_coming(self, claim: bytes) -> bool:
        """May this be one of ours whose reply is on its way?"""
        return any(wait.armed and claim.startswith(wait.mark) for wait in self.waits)

    def look_again(self) -> None:
        """Something may have come that no wait sees (parked tasks, another worker's): claim once more."""
        self.drained = False
