"""Steps of workers: well behaved, late, repeated, silent, dead. Runs no function."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from doshit import commands
from properties.claiming import Claiming
from properties.model import DAY, LEASE, LOSSES, Taken, Worker
from properties.seen import text
from properties.stage import BAD, GOOD, KEYS, QUEUES, TTLS, Stage, picked, picks, same

SERVED = (frozenset({"echo", "rare"}), frozenset({"echo"}))
ORDERS = (("a", "default"), ("default", "a"), ("default",))
CLAIM: dict[str, Any] = {"max_bytes": 1 << 20, "args_cap": 1 << 10, **TTLS}
MOST_WORKERS = 6


class Working(Stage):
    """Everything that a worker sends, and its waits."""

    @rule(serves=picks, order=picks)
    def start_worker(self, serves, order):
        if len(self.world.workers) < MOST_WORKERS:
            self.add_worker(f"w{len(self.world.workers)}", picked(SERVED, serves), picked(ORDERS, order))

    @rule(queue=st.sampled_from(QUEUES))
    def wait(self, queue):
        """What BLMOVE does for an idle worker, whose claim does not come."""
        self.bring(queue)

    def bring(self, queue: str) -> None:
        id = self.client.lmove(KEYS.pending(queue), KEYS.arrived(queue), "RIGHT", "LEFT")
        place = self.world.queues[queue]
        assert id == (place.pending.pop() if place.pending else None)
        if id is not None:
            place.arrived.insert(0, id)

    @rule(worker=picks, wait=picks, limit=st.integers(1, 4), is_second=st.booleans())
    def wait_and_claim(self, worker, wait, limit, is_second):
        """The same with the claim behind it; with is_second, another's claim comes in between."""
        taker = self.worker(worker)
        wait = 1 + wait % len(taker.queues)
        self.bring(taker.queues[wait - 1])
        if is_second:
            self.take(self.worker(worker + 1), 1)
        self.take(taker, limit, wait)

    @rule(worker=picks, limit=st.integers(1, 4))
    def claim(self, worker, limit):
        self.take(self.worker(worker), limit)

    @rule(worker=picks)
    def claim_all(self, worker):
        self.take(self.worker(worker), 10)

    def take(self, taker: Worker, limit: int, wait: int = 0) -> None:
        """Claims, and compares each fate. How far a call looks is its own affair, but it begins with what is first."""
        queues = self.queues_of(taker, wait)
        was_anything = any(self.world.queues[queue].pending or self.world.queues[queue].arrived for queue in queues)
        request = taker.requests[wait] + 1
        reply = self.claim_call(taker, request, limit, wait)
        if taker.sealed:
            assert reply.state == "sealed"
            return
        claiming = Claiming(self.world, taker, request, wait)
        claiming.run(queues, self.left)
        self.same_tasks(reply, claiming)
        assert len(reply.tasks) <= limit and (reply.looked or not was_anything)
        self.hands += [(taker, task.id, task.claim) for task in claiming.tasks]

    @staticmethod
    def queues_of(taker: Worker, wait: int) -> tuple[str, ...]:
        """Those that its claim names: a wait has one."""
        return (taker.queues[wait - 1],) if wait else taker.queues

    def claim_call(self, taker: Worker, request: int, limit: int, wait: int) -> Any:
        queues = self.queues_of(taker, wait)
        call = commands.claim(KEYS, taker.name, request, limit, queues, wait=wait or None, now=self.now, **CLAIM)
        return self.call(call)

    def same_tasks(self, reply: Any, claiming: Claiming) -> None:
        taken = [
            Taken(t.id, text(t.queue), text(t.claim), int(t.attempts), int(t.lost), int(t.retried or 0))
            for t in reply.tasks
        ]
        same(taken, claiming.tasks)
        same((reply.state, reply.looked, reply.problems), ("claimed", claiming.looked, []))

    def left(self, name: str) -> int:
        return int(self.client.llen(f"p:{name}"))

    @rule(worker=picks, older=st.booleans(), wait=picks)
    def claim_again(self, worker, older, wait):
        """The reply was lost: the same request once more, or one before it."""
        taker = self.worker(worker)
        wait %= 1 + len(taker.queues)
        if taker.sealed or not taker.requests[wait]:
            return
        request = max(taker.requests[wait] - older, 1)
        claiming = Claiming(self.world, taker, request, wait)
        claiming.tasks = claiming.again()
        self.same_tasks(self.claim_call(taker, request, 5, wait), claiming)

    @precondition(lambda self: self.hands)
    @rule(hand=picks, end=st.sampled_from([GOOD, BAD]), other=st.booleans())
    def finish(self, hand, end, other):
        """The right end, a late one, one told twice; or of a worker that never had it."""
        worker, id, claim = self.hand(hand)
        self.end(self.worker(hand) if other else worker, id, claim, end)

    @precondition(lambda self: self.hands)
    @rule(hand=picks, delay=st.sampled_from(["", "", "0", "2"]), begun=st.booleans(), all=st.booleans())
    def release(self, hand, delay, begun, all):
        """One taking, or all that its worker holds, in the order they were claimed."""
        worker, id, claim = self.hand(hand)
        held = [(id, hold.claim) for id, hold in worker.held.items()] if all else [(id, claim)]
        words = self.world.release(worker, [(id, claim, delay, begun) for id, claim in held])
        sent = [(id, claim.encode(), delay, begun) for id, claim in held]
        same(self.call(commands.release(KEYS, worker.name, sent, now=self.now)), words)

    @precondition(lambda self: self.hands)
    @rule(hand=picks, delay=st.sampled_from(["0", "1.5"]), noted=st.booleans())
    def retry(self, hand, delay, noted):
        worker, id, claim = self.hand(hand)
        failure = {"attempt": 1, "code": "exception", "reason": 'a "reason"\n/\u2603'} if noted else None
        word = self.world.retry(worker, id, claim, delay, failure)
        sent = [(id, claim.encode(), delay, json.dumps(failure) if failure else "")]
        same(self.call(commands.retry(KEYS, worker.name, sent, now=self.now)), [word])

    @precondition(lambda self: self.hands)
    @rule(hand=picks, progress=st.sampled_from(["", '{"fraction":0.5}']), said=st.sampled_from(["one", "two"]))
    def note(self, hand, progress, said):
        worker, id, claim = self.hand(hand)
        word = self.world.note(worker, id, claim, progress, said)
        entry = commands.Entry("stdout", f"at {said}", said)
        notes = [commands.Note(id, claim.encode(), progress, [entry])]
        same(self.call(commands.note(KEYS, worker.name, notes, keep=DAY, output_cap=1 << 20, now=self.now)), [word])

    @precondition(lambda self: self.hands)
    @rule(hand=picks, grace=st.sampled_from([0, 1, 30]))
    def park(self, hand, grace):
        """A worker sets aside what it does not serve."""
        worker, id, claim = self.hand(hand)
        function = self.world.tasks.get(id, {}).get("function", "echo")
        if function in worker.functions:
            return
        word = self.world.park(worker, grace, id, claim, function)
        sent = [(id, claim.encode(), function.encode())]
        same(self.call(commands.park(KEYS, worker.name, grace, sent, now=self.now)), [word])
        if word == "unknown":
            self.end(worker, id, claim, {**BAD, "error-code": "unknown-function"})

    @rule(worker=picks, everybody=st.booleans())
    def beat(self, worker, everybody):
        for one in list(self.world.workers.values()) if everybody else [self.worker(worker)]:
            self.beat_of(one)

    def beat_of(self, worker: Worker) -> None:
        state, *more = self.world.beat(worker)
        reply = self.call(commands.beat(KEYS, worker.name, lease_ms=LEASE, now=self.now))
        same((reply.state, [reply.held, {text(stop) for stop in reply.stops}]), (state, more or [0, set()]))

    @rule(worker=picks)
    def seal(self, worker):
        """Its host says that it is gone."""
        names = [self.worker(worker).name, "nobody"]
        words = [self.world.seal(name) for name in names]
        same(self.call(commands.seal(KEYS, names, now=self.now)), words)

    # Time and duties.

    @rule(ms=st.sampled_from([1, 250, 900, 1000, 2500, 3001, 5000, 10_001, 3_600_000]))
    def pass_time(self, ms):
        self.world.now += ms

    @rule(interval=st.sampled_from([0, 1000]))
    def recover(self, interval):
        self.recover_once(interval)

    @rule(interval=st.sampled_from([0, 100]))
    def promote(self, interval):
        self.promote_once(interval)

    def recover_once(self, interval: int) -> None:
        wanted = self.world.recover(interval)
        same(self.call(commands.recover(KEYS, interval_ms=interval, losses=LOSSES, now=self.now, **TTLS)), wanted)

    def promote_once(self, interval: int) -> None:
        wanted = self.world.promote(interval)
        same(self.call(commands.promote(KEYS, interval_ms=interval, now=self.now)), wanted)
