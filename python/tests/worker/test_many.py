"""Many `async def` runs in one process: side by side, each ended by itself, and what a crash among them costs."""

import pytest

from worker.standing import standing
from worker.tasks_limits import begun
from worker.workers import until


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("many"), children=1) as stage:
        yield stage


@pytest.fixture
def gate(tmp_path):
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


def held(stage, gate, count):
    """So many runs that wait side by side at the gate."""
    ids = stage.starts("ahold", count, gate=str(gate))
    until(lambda: len(begun(gate)) >= count, what=f"{count} have begun")
    return ids


def test_a_hundred_run_side_by_side_in_one_process(stage, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    ids = stage.starts("together", 100, folder=str(folder), wanted=100)
    assert len({stage.value(id) for id in ids}) == 1


def test_each_knows_its_own_task(stage):
    ids = stage.starts("aid", 50)
    assert [stage.value(id) for id in ids] == ids


def test_plain_runs_go_on_beside_a_hundred_and_the_next_begins_when_one_ends(stage, gate):
    ids = held(stage, gate, 100)
    assert stage.value(stage.start("echo", text="beside")) == "beside"
    more = stage.start("apid")
    stage.running(more)
    assert stage.task(more)["state"] != "finished"
    stage.cancel(ids[0])
    stage.failed(ids[0], "cancelled", 8)
    assert stage.value(more, 8) > 0
    gate.touch()
    stage.all_ended(ids)


def test_one_that_is_cancelled_ends_and_its_neighbours_go_on(stage, gate):
    ids = held(stage, gate, 20)
    stage.cancel(ids[7])
    stage.failed(ids[7], "cancelled", 8)
    assert len(begun(gate)) == 20
    gate.touch()
    stage.all_ended(ids)
    assert stage.fields(ids[:7] + ids[8:], "result", "attempts") == [["successful", "1"]] * 19
    assert len({stage.value(id) for id in ids[:7] + ids[8:]}) == 1


def test_one_over_its_time_ends_and_its_neighbours_go_on(stage, gate):
    ids = held(stage, gate, 20)
    limited = stage.start("ahold", {"time-limit": "0.2"}, gate=str(gate))
    assert "time limit of 0.2 s" in stage.failed(limited, "time-limit")["error-reason"]
    gate.touch()
    stage.all_ended(ids)
    assert stage.fields(ids, "result", "attempts") == [["successful", "1"]] * 20


def test_one_may_catch_its_end_and_return_what_it_has(stage):
    assert stage.value(stage.start("asaves_what_it_has", {"time-limit": "0.2"})) == "half of it"


@pytest.mark.parametrize("function", ["adeaf", "ablocks"])
def test_one_that_does_not_hear_is_killed_and_its_neighbours_run_again_uncounted(stage, gate, tmp_path, function):
    ids = held(stage, gate, 20)
    file = tmp_path / "culprit"
    culprit = stage.start(function, begun=str(file))
    until(file.exists)
    stage.cancel(culprit)
    assert "killed" in stage.failed(culprit, "cancelled", 8)["error-reason"]
    until(lambda: len(begun(gate)) >= 40, what="the neighbours have begun again")
    gate.touch()
    stage.all_ended(ids)
    assert stage.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * 20


def test_one_that_holds_the_loop_ends_at_its_limit_and_the_others_run(stage):
    culprit = stage.start("ablocks", {"time-limit": "0.3"})
    others = stage.starts("apid", 30)
    assert "killed" in stage.failed(culprit, "time-limit")["error-reason"]
    stage.all_ended(others)
    assert stage.fields(others, "result", "attempts") == [["successful", "1"]] * 30


def crashing(stage, trigger):
    """A run that ends its process when the trigger is there."""
    id = stage.start("acrash", gate=str(trigger))
    until(lambda: begun(trigger), what="the culprit has begun")
    return id


def test_after_a_crash_the_culprit_fails_and_its_neighbours_run_again_alone_and_uncounted(stage, gate):
    ids = held(stage, gate, 10)
    trigger = gate.with_name("trigger")
    culprit = crashing(stage, trigger)
    trigger.touch()
    until(lambda: len(begun(gate)) > 10, what="a neighbour has begun again, by itself")
    gate.touch()
    assert "SIGKILL (signal 9)" in stage.failed(culprit, "exited")["error-reason"]
    shared = stage.value(stage.start("apid"))
    assert shared not in {stage.value(id) for id in ids}
    assert stage.fields([culprit, *ids], "attempts", "lost") == [["1", None]] * 11
    assert len(begun(trigger)) == 2


def test_one_that_crashes_with_nobody_beside_it_is_to_blame_at_once(stage, gate):
    trigger = gate.with_name("trigger")
    culprit = crashing(stage, trigger)
    trigger.touch()
    task = stage.failed(culprit, "exited")
    assert (task["attempts"], begun(trigger)) == ("1", ["1"])


def test_one_that_wants_to_be_alone_has_a_process_of_its_own(stage, gate):
    shared = held(stage, gate, 3)
    alone = stage.start("alone", gate=f"{gate}")
    until(lambda: len(begun(gate)) == 4)
    (own,) = {line for line in begun(gate) if line != "1"}
    gate.touch()
    assert stage.value(alone) == int(own)
    assert stage.value(alone) not in {stage.value(id) for id in shared}


def test_one_with_a_memory_limit_has_a_process_of_its_own(stage, gate):
    shared = held(stage, gate, 3)
    limited = stage.start("apid", {"memory-limit": 500_000_000})
    pid = stage.value(limited)
    gate.touch()
    assert pid not in {stage.value(id) for id in shared}


def test_a_stop_hands_back_those_that_run(server, tmp_path, gate):
    with standing(server, tmp_path, grace=0.2) as stage:
        ids = held(stage, gate, 20)
        assert stage.worker.stop() == 0
        assert stage.fields(ids, "state", "lost") == [["pending", None]] * 20
        gate.touch()
        stage.begin_worker()
        stage.all_ended(ids)
        assert stage.fields(ids, "result") == [["successful"]] * 20


def test_many_short_ones_end_well(stage):
    ids = [stage.start("nap", seconds=0.01), *stage.starts("apid", 300)]
    stage.all_ended(ids)
    assert stage.fields(ids, "result", "attempts") == [["successful", "1"]] * 301
