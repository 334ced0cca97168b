"""What every step of the transitions' machine needs: the server, the model beside it, which ids are simple."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from doshit import commands
from doshit.values.keys import Keys
from properties.model import DAY, LEASE, SPOILT, WEEK, Worker, World
from properties.seen import Seen

QUEUES = ("a", "default")
IDS = (b"1", b"2", b"3", b"4", b"5", b"\xff \n", b"p:task:1")
LONG = b"x" * 256
FUNCTIONS = ("echo", "rare", "none")
KEYS = Keys("p")
TTLS = {"result_ttl": DAY, "failed_ttl": WEEK}
BAD = {"result": "failed", "error-code": "exception", "error-reason": "ValueError", "error-exception": "trace"}
GOOD = {"result": "successful", "result-value": "1"}
THAT_IS_ALL = b"that is all"
picks = st.integers(0, 100)
"""Which of the things that are there just then: smaller is older, and what a failing case is shrunk to."""


def flat(fields: dict[str, str]) -> list[str]:
    return [part for pair in fields.items() for part in pair]


def same(there: Any, wanted: Any) -> None:
    assert there == wanted, f"the server says {there!r}, the protocol {wanted!r}"


def picked(things: Sequence[Any], pick: int) -> Any:
    return things[pick % len(things)]


class Stage(RuleBasedStateMachine):
    """accepted: submits of each id. muddled: ids that were pushed twice, changed by hand, or that ran foreign.

    hands: every taking that ever was, with its worker: it may have ended, or have been lost.
    """

    client: Any
    listener: Any

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.heard()
        self.world = World(QUEUES)
        self.hands: list[tuple[Worker, bytes, str]] = []
        self.accepted: Counter[bytes] = Counter()
        self.muddled: set[bytes] = set()
        self.foreign: set[bytes] = set()
        self.told: Counter[bytes] = Counter()
        self.seen = Seen()

    def call(self, call: commands.Call[Any]) -> Any:
        try:
            return call.parse(self.client.execute_command(*call.evalsha()))
        except redis.exceptions.NoScriptError:
            return call.parse(self.client.execute_command(*call.eval()))

    def heard(self) -> list[bytes]:
        """The ids whose ends were told since the last look; a message of its own marks it: no wait for time."""
        self.client.publish("p:results", THAT_IS_ALL)
        ids = []
        while (message := self.listener.get_message(timeout=20))["data"] != THAT_IS_ALL:
            ids.append(message["data"].removeprefix(b"p:task:"))
        return ids

    @property
    def now(self) -> int:
        """In microseconds, as scripts take it."""
        return self.world.now * 1000

    def worker(self, pick: int) -> Worker:
        workers = list(self.world.workers.values())
        return workers[pick % len(workers)]

    def hand(self, pick: int) -> tuple[Worker, bytes, str]:
        """The latest first."""
        return self.hands[(-1 - pick) % len(self.hands)]

    def add_worker(self, name: str, functions: frozenset[str], queues: tuple[str, ...]) -> Worker:
        """As a worker starts: catalog, hash and lease in one MULTI."""
        worker = Worker(name, functions, queues, self.world.now + LEASE)
        pipeline = self.client.pipeline(transaction=True)
        sha = f"c{len(functions)}"
        pipeline.hset(f"p:catalog:{sha}", mapping=dict.fromkeys(functions, "{}"))
        pipeline.hset(f"p:worker:{name}", mapping={"catalog": sha, "queues": ",".join(queues)})
        pipeline.zadd("p:workers", {name: worker.lease})
        pipeline.execute()
        self.world.workers[name] = worker
        return worker

    def accept(self, id: bytes) -> None:
        """One more submit of it was accepted."""
        self.accepted[id] += 1
        if self.accepted[id] > 1 or self.entries(id) != 1:
            self.muddled.add(id)

    def forget(self, id: bytes) -> None:
        """There is no such task any more."""
        del self.accepted[id], self.told[id]

    def entries(self, id: bytes) -> int:
        """How often it stands somewhere, in the model."""
        return places(self.world, id)

    def write(self, id: bytes, fields: dict[str, Any]) -> bool:
        """A plain HSET, which Redis refuses over another type."""
        if self.world.tasks.get(id) is SPOILT:
            return False
        self.client.hset(b"p:task:" + id, mapping=fields)
        self.world.write(id, fields)
        return True

    def enter(self, id: bytes, queue: str) -> None:
        """A plain LPUSH."""
        self.client.lpush(KEYS.pending(queue), id)
        self.world.queues[queue].pending.insert(0, id)

    def end(self, worker: Worker, id: bytes, claim: str, end: dict[str, str]) -> None:
        """Sends the end of one run."""
        word = self.world.finish(worker, id, claim, end)
        ends = [commands.End(id, claim.encode(), flat(end))]
        same(self.call(commands.finish(KEYS, worker.name, ends, now=self.now, **TTLS)), [word])


def places(world: World | Seen, id: bytes) -> int:
    """In how many places an id stands."""
    queues = world.queues.values()
    lists = [
        ids for queue in queues for ids in (queue.pending, queue.arrived, *queue.parked.values(), list(queue.scheduled))
    ]
    return sum(ids.count(id) for ids in lists) + sum(queue.executing[id] for queue in queues)
