"""Every transition in any order, on a real server, against the model of the protocol. Starts no worker."""

import os
import sys
from collections.abc import Callable, Iterator

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from properties.producing import Producing
from properties.seen import agree, look
from properties.stage import FUNCTIONS, GOOD, QUEUES, places
from properties.working import Working

EXAMPLES = int(os.environ.get("DOSHIT_EXAMPLES", "0"))
"""How many runs of the machine, of seeds that are new each time; 0: the fixed ones of every test run."""


class Machine(Producing, Working):
    """All steps, and what holds after each of them."""

    @initialize()
    def begin(self):
        self.add_worker("w0", frozenset({"echo", "rare"}), QUEUES)
        self.add_worker("w1", frozenset({"echo"}), QUEUES[::-1])

    @invariant()
    def all_holds(self):
        """The model first; the others ask the server alone, whatever the model says."""
        self.seen = look(self.client)
        agree(self.world, self.seen)
        self.every_end_is_told_once()
        for id in set(self.accepted) - self.muddled:
            self.an_accepted_task_is_in_one_place_or_finished(id)
            self.an_ended_task_has_a_result_and_a_lifetime(id)
        self.held_and_executing_agree()

    def every_end_is_told_once(self):
        heard = self.heard()
        assert heard == self.world.told
        self.told.update(heard)
        self.world.told = []

    def an_accepted_task_is_in_one_place_or_finished(self, id):
        task = self.seen.tasks[id]
        finished = task.get("state") == "finished"
        # Of one that was cancelled while it waited, the entry may still stand there.
        assert places(self.seen, id) in ((0, task.get("error-code") == "cancelled") if finished else (1,)), id
        assert self.told[id] == self.accepted[id] - (not finished), id

    def an_ended_task_has_a_result_and_a_lifetime(self, id):
        task, life = self.seen.tasks[id], self.seen.lives[id]
        finished = task.get("state") == "finished"
        assert ("result" in task) == finished, id
        lives_on = not finished or task.get("result-ttl") == "keep" or places(self.seen, id)
        assert (life is None) == bool(lives_on), id

    def held_and_executing_agree(self):
        for worker, held in self.seen.held.items():
            for id in set(held) - self.muddled:
                task = self.seen.tasks[id]
                assert (task["state"], task["worker"], task["claim"]) == ("executing", worker, held[id].claim), id
                assert self.seen.queues[held[id].queue].executing[id] == 1, id

    def teardown(self):
        """In the end one worker that serves all finishes whatever is left: nothing was lost on the way."""
        if sys.exc_info()[0] or not self.world.workers:
            return  # a step has failed, and that is what to tell
        last = self.add_worker("last", frozenset(FUNCTIONS), QUEUES)
        for _ in range(30):
            if self.is_empty():
                break
            self.world.now += 1100
            self.step(last)
        self.all_holds()
        assert self.is_empty(), "not all that was accepted came to an end"

    def is_empty(self):
        ids = set(self.accepted) - self.foreign
        places = [
            place
            for queue in self.world.queues.values()
            for place in (queue.pending, queue.arrived, queue.scheduled, queue.parked)
        ]
        return not any(places) and all(self.world.tasks[id].get("state") == "finished" for id in ids)

    def step(self, last):
        """A second in the life of that worker."""
        self.beat_of(last)
        self.recover_once(1000)
        self.all_holds()
        self.promote_once(100)
        self.take(last, 100)
        for id, hold in list(last.held.items()):
            self.end(last, id, hold.claim, GOOD)


def profile() -> settings:
    """A few seconds of fixed seeds; with DOSHIT_EXAMPLES=2000 as many runs of new ones, about two a second."""
    settings.register_profile(
        "transitions", deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck), database=None,
        report_multiple_bugs=False, phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    chosen = settings.get_profile("transitions")
    if EXAMPLES:
        return settings(chosen, max_examples=EXAMPLES, print_blob=True)
    return settings(chosen, max_examples=120, derandomize=True)


@pytest.fixture
def machine(each_redis_url: str) -> Iterator[Callable[[], Machine]]:
    with redis.Redis.from_url(each_redis_url, protocol=2) as client, client.pubsub() as listener:
        listener.subscribe("p:results")
        assert listener.get_message(timeout=20)["type"] == "subscribe"
        Machine.client, Machine.listener = client, listener
        yield Machine


@pytest.mark.timeout(300 + EXAMPLES)
def test_every_transition_does_what_the_protocol_says_in_any_order(machine):
    run_state_machine_as_test(machine, settings=profile())
