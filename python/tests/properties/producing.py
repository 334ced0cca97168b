"""Steps of who asks for tasks, by submit, plain commands or hand, and of foreign workers. Holds no claim."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from doshit import commands
from properties.model import DAY
from properties.stage import FUNCTIONS, IDS, KEYS, LONG, QUEUES, THAT_IS_ALL, Stage, flat, same

PAST = {"expires": "2020-01-01T00:00:00.000000Z"}
LATER = {"expires": "2020-09-13T12:26:45.000000Z"}
EXTRAS: tuple[dict[str, str], ...] = (
    {},
    {},
    {},
    {"result-ttl": "keep"},
    {"result-ttl": "500"},
    {"retries": "x"},
    {"time-limit": "1.5"},
    PAST,
    LATER,
)
ids, queues, functions = st.sampled_from(IDS), st.sampled_from(QUEUES), st.sampled_from(FUNCTIONS)


class Producing(Stage):
    """Everything that changes a task without holding it."""

    @rule(
        id=ids,
        queue=queues,
        function=functions,
        args=st.sampled_from(["{}", "{}", '{"n": 1}']),
        delay=st.sampled_from(["", "", "front", "0", "0.7", "7"]),
        more=st.sampled_from(EXTRAS),
        twice=st.booleans(),
    )
    def submit(self, id, queue, function, args, delay, more, twice):
        tasks = [(id, function, args, delay, flat(more))] * (1 + twice)
        words = [self.world.submit(queue, id, function, args, delay, more) for _ in tasks]
        same(self.call(commands.submit(KEYS, queue, tasks, now=self.now)), words)
        if words[0] == "created":
            self.accept(id)

    @rule(id=ids, queue=queues, function=functions, more=st.sampled_from([*EXTRAS, {"state": "bananas"}]))
    def push(self, id, queue, function, more):
        """The two plain commands, over whatever is there."""
        if self.write(id, {"function": function, "state": "pending", "args": "{}", **more}):
            self.enter(id, queue)
            self.accept(id)

    @rule(id=ids, fields=st.sampled_from([{"function": "echo"}, {"args": "{}"}, {"state": "pending"}]))
    def write_a_field(self, id, fields):
        """A half-made hash."""
        if id in self.accepted or self.entries(id):
            self.muddled.add(id)
            self.forget(id)
        self.write(id, fields)

    @rule(id=st.sampled_from([*IDS, LONG]), queue=queues)
    def push_an_id(self, id, queue):
        """An id before its hash, or once more."""
        self.enter(id, queue)
        self.muddled.add(id)

    @rule(id=ids, spoilt=st.booleans())
    def delete(self, id, spoilt):
        """DEL, and perhaps another type in its place."""
        self.muddled.add(id)
        self.forget(id)
        self.client.delete(b"p:task:" + id)
        self.world.delete(id)
        if spoilt:
            self.client.set(b"p:task:" + id, "no hash")
            self.world.spoil(id)

    # By hand.

    @rule(asked=st.lists(ids, max_size=2), listed=st.lists(ids, max_size=3), take=st.integers(0, 2))
    def cancel(self, asked, listed, take):
        """Some by the call, some by the plain command, of which the call takes so many."""
        world = self.world
        for id in listed:
            self.client.lpush("p:cancel", id)
            world.cancels.insert(0, id)
        taken = [world.cancels.pop() for _ in range(min(take, len(world.cancels)))]
        words = [world.cancel(id) for id in (*asked, *taken)]
        self.muddled |= {*asked, *taken} - set(self.accepted)
        same(self.call(commands.cancel(KEYS, asked, take=take, result_ttl=DAY, now=self.now)), words)

    @rule(of=st.sampled_from([*(f"queue:{queue}" for queue in QUEUES), *(f"function:{name}" for name in FUNCTIONS)]))
    def cancel_all(self, of):
        """A cut-off: whatever of this queue or function was submitted until now."""
        self.client.hset("p:cutoffs", of, self.world.moment())
        self.world.cutoffs[of] = self.world.moment()

    @rule(id=ids)
    def requeue(self, id):
        word = self.world.requeue(id)
        same(self.call(commands.requeue(KEYS, [id], now=self.now)), [word])
        if word == "requeued":
            is_simple = id in self.accepted and self.entries(id) == 1
            self.accepted[id] += 1
            self.muddled |= set() if is_simple else {id}

    @rule(id=ids)
    def drop(self, id):
        word = self.world.drop(id)
        same(self.call(commands.drop(KEYS, [id], now=self.now)), [word])
        if word == "dropped":
            self.forget(id)

    # A worker that knows only the contract.

    @rule(queue=queues)
    def foreign_take(self, queue):
        """LMOVE, HSET state executing."""
        pending = self.world.queues[queue].pending
        task = self.world.tasks.get(pending[-1], {}) if pending else {}
        if task.get("state") != "pending" or "claim" in task:
            return
        id = pending.pop()
        assert self.client.lmove(KEYS.pending(queue), KEYS.executing(queue), "RIGHT", "LEFT") == id
        self.world.queues[queue].executing[id] += 1
        self.write(id, {"state": "executing", "executing-created": self.world.moment()})
        self.muddled.add(id)
        self.foreign.add(id)

    @rule(queue=queues)
    def foreign_move(self, queue):
        """LMOVE, and it dies before its HSET: an id in executing that nobody holds."""
        id = self.client.lmove(KEYS.pending(queue), KEYS.executing(queue), "RIGHT", "LEFT")
        place = self.world.queues[queue]
        assert id == (place.pending.pop() if place.pending else None)
        if id is not None:
            place.executing[id] += 1

    @precondition(lambda self: self.foreign)
    @rule(queue=queues, pick=st.integers(0, 5))
    def foreign_end(self, queue, pick):
        """HSET result, LREM, PUBLISH."""
        id = sorted(self.foreign)[pick % len(self.foreign)]
        if not self.world.queues[queue].executing[id] or not self.write(id, self.foreign_result()):
            return
        self.foreign.discard(id)
        self.client.lrem(KEYS.executing(queue), -1, id)
        self.world.queues[queue].leave_executing(id)
        assert id != THAT_IS_ALL
        self.client.publish("p:results", b"p:task:" + id)
        self.world.told.append(id)

    def foreign_result(self) -> dict[str, str]:
        now = self.world.moment()
        return {"state": "finished", "finished-created": now, "result": "successful", "result-value": "2"}
