"""A queue that workers with different functions share: each task comes to one that has its function, and soon."""

from pathlib import Path

from worker.workers import TASKS, until

OTHER = str(Path(TASKS).with_name("tasks_other.py"))
WELL = {"a": 2, "b": 3}


def claims(world):
    """How often the live workers asked for tasks."""
    asked = [world.client.hget(world.key("worker", id.decode()), "request") for id in world.workers()]
    return sum(int(it or 0) for it in asked)


def test_two_thousand_tasks_of_two_functions_come_to_the_worker_that_has_theirs(start_worker, world, endings):
    start_worker(children=2)
    start_worker(children=2, target=OTHER)
    ids = world.push_all([(str(n), "add" if n % 2 else "multiply", WELL) for n in range(2000)])
    world.all_ended(ids)
    assert world.fields(ids, "result-value", "attempts", "lost") == [
        ["5" if n % 2 else "6", "1", None] for n in range(2000)
    ]
    assert endings() == dict.fromkeys(map(world.task_key, ids), 1)
    # A look for each task would be a spin; what is taken in batches needs far fewer.
    assert claims(world) < 500
    world.at_rest()


def test_what_waits_for_a_busy_worker_keeps_no_other_from_its_own_tasks_nor_awake(start_worker, world, gate):
    start_worker()
    world.push_all([("long", "block", gate.args("long"))])
    gate.await_begun("long")
    start_worker(target=OTHER)
    theirs = world.push_all([(f"add{n}", "add", WELL) for n in range(500)])
    mine = world.push_all([(f"multiply{n}", "multiply", WELL) for n in range(100)])
    world.all_ended(mine)
    until(lambda: len(world.entries(which="parked:add")) + len(world.entries(which="pending")) == 500)
    before = claims(world)
    later = world.push_all([(f"later{n}", "multiply", WELL) for n in range(10)])
    world.all_ended(later)
    assert claims(world) - before < 100
    waiting = world.fields(theirs, "state", "attempts")
    assert all(state == "pending" and attempts in (None, "0") for state, attempts in waiting)
    gate.open()
    world.all_ended(theirs)
    assert world.fields(theirs, "result", "attempts") == [["successful", "1"]] * 500
