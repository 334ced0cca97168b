"""Random malformed tasks against one live worker, good ones among them. Judges no single reason's words."""

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from properties.garbage import Garbage, tasks
from worker.workers import until

COUNT = int(os.environ.get("DOSHIT_FUZZ", "1000"))
"""How many tasks; the short run of every test run has a fixed seed, a longer one a new seed each time."""
SEED = int(os.environ.get("DOSHIT_FUZZ_SEED", "0")) or (
    1 if COUNT <= 1000 else random.SystemRandom().randrange(1 << 32)
)
CHUNK = 250
CODES = Path(__file__).parents[3] / "protocol" / "tables" / "errors.json"


def push(world, chunk: list[Garbage]) -> None:
    pipeline = world.client.pipeline(transaction=False)
    for it in chunk:
        key = world.task_key(it.id)
        if it.make:
            pipeline.execute_command(it.make[0], key, *it.make[1:])
        else:
            pipeline.hset(key, mapping=it.fields)
        pipeline.lpush(world.key("default", "pending"), *[it.id] * it.times)
    pipeline.execute()


class Ends:
    """Which tasks have ended: heard of, said so by their hash from the beginning, or quarantined."""

    def __init__(self, world, endings, pushed: list[Garbage]) -> None:
        self._world, self._endings = world, endings
        self.told: Counter[bytes] = Counter()
        self.left = {it.id: it for it in pushed}
        self.quarantined: set[bytes] = set()

    def none_left(self) -> bool:
        self.told = self._endings()
        self.quarantined |= set(self._world.entries(which="quarantine"))
        over = [id for id, it in self.left.items() if self._is_over(it)]
        for id in over:
            del self.left[id]
        return not self.left

    def _is_over(self, it: Garbage) -> bool:
        finished = it.fields.get(b"state") == b"finished" and not it.make
        return finished or self._world.task_key(it.id) in self.told or it.id[:255] in self.quarantined


def hash_of(world, id: bytes) -> dict[str, str]:
    fields = world.client.hgetall(world.task_key(id))
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in fields.items()
    }


def strange(task: dict[str, str], codes: set[str]) -> bool:
    """Has a task ended as no task should?"""
    if task.get("result") == "successful":
        return not json.loads(f"[{task['result-value']}]")
    reason = task.get("error-reason", "")
    return task.get("error-code") not in codes or not reason or not reason.isprintable() or len(reason) > 4096


@pytest.mark.timeout(60 + COUNT // 20)
def test_no_malformed_task_costs_more_than_itself(start_worker, world, endings):
    print(f"seed: DOSHIT_FUZZ={COUNT} DOSHIT_FUZZ_SEED={SEED}")
    worker = start_worker(children=2, unknown_grace=0)
    until(lambda: len(worker.children()) == 3, what="two children and the one of the async functions are born")
    processes = worker.tree()
    pushed = tasks(SEED, COUNT, world.prefix)
    ends = Ends(world, endings, pushed)
    for first in range(0, COUNT, CHUNK):
        push(world, pushed[first : first + CHUNK])
    try:
        until(lambda: worker.process.poll() is not None or ends.none_left(), 30 + COUNT / 40)
    except AssertionError:
        assert worker.process.poll() is None, worker.log()[-4000:]
        shown = [(it, world.client.type(world.task_key(it.id))) for it in list(ends.left.values())[:3]]
        raise AssertionError(
            f"{len(ends.left)} of {COUNT} have not ended, as {shown}\n{worker.log()[-2000:]}"
        ) from None
    world.at_rest()
    assert (worker.process.poll(), worker.tree()) == (None, processes), worker.log()[-4000:]
    each_end_is_a_good_one(world, ends, pushed)


def each_end_is_a_good_one(world, ends: Ends, pushed: list[Garbage]) -> None:
    codes = {one["code"] for one in json.loads(CODES.read_text("utf-8"))["codes"]}
    good = [it for it in pushed if it.wanted is not None]
    wanted = [["successful", it.wanted, "1"] for it in good]
    assert world.fields([it.id for it in good], "result", "result-value", "attempts") == wanted
    bad = [it for it in pushed if it.id not in ends.quarantined and ends.told[world.task_key(it.id)]]
    found = {it.id: task for it in bad if not it.make and (task := hash_of(world, it.id))}
    assert {id: task for id, task in found.items() if task["state"] != "finished" or strange(task, codes)} == {}
    assert {key: times for key, times in ends.told.items() if times != 1} == {}
    print(Counter(task["result"] for task in found.values()), len(ends.quarantined), "quarantined")
    assert len(found) > COUNT * 0.8
