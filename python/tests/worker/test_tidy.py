"""What a run leaves behind: a changed process runs nothing more, what it has started ends, a tidy process is kept."""

import os
from pathlib import Path

import pytest

from worker.standing import standing
from worker.tasks_limits import CHANGES
from worker.workers import until


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("tidy")) as stage:
        yield stage


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_tidy_process_runs_one_task_after_the_other(stage):
    ids = stage.starts("pid", 100) + [stage.start("nap", seconds=0.01) for _ in range(3)] + stage.starts("pid", 10)
    assert len({stage.value(id) for id in ids if stage.task(id)["function"] == "pid"}) == 1


@pytest.mark.parametrize("what", CHANGES)
def test_a_process_that_a_run_has_changed_runs_nothing_more(stage, what):
    before = stage.value(stage.start("pid"))
    assert stage.value(stage.start("changes", what=what)) == before
    after = stage.value(stage.start("pid"))
    assert after != before
    assert stage.value(stage.start("pid")) == after
    until(lambda: not lives(before), 5, "the changed process has ended")


@pytest.mark.parametrize("what", CHANGES)
def test_the_runs_behind_a_change_in_the_same_batch_are_not_touched_by_it(stage, what):
    stage.all_ended(stage.starts("echo", 100))
    ids = []
    for _ in range(3):
        ids += [stage.start("changes", what=what), *stage.starts("pid", 10)]
    pids = [stage.value(id) for id in ids]
    changed = {pids[0], pids[11], pids[22]}
    assert len(changed) == 3
    for first in (0, 11, 22):
        assert pids[first] not in pids[first + 1 :]
    assert stage.fields(ids, "attempts") == [["1"]] * 33


@pytest.mark.parametrize("what", ["directory", "environment"])
def test_a_run_that_sets_right_what_it_changed_keeps_its_process(stage, what):
    before = stage.value(stage.start("pid"))
    assert stage.value(stage.start("tidies_up", what=what)) == before
    assert stage.value(stage.start("pid")) == before


@pytest.mark.parametrize("daemon", [False, True])
def test_a_process_that_a_run_leaves_behind_ends_with_it_and_its_own_goes_on(stage, tmp_path, daemon):
    file = tmp_path / "pid"
    pid = stage.value(stage.start("leaves_a_process", file=str(file), daemon=daemon))
    left = int(file.read_text())
    assert not lives(left), "it had ended before the end of the run was told"
    assert stage.value(stage.start("pid")) == pid
    assert not [one for one in stage.worker.tree() if not lives(one)], "no zombie is left"


def test_what_is_below_a_process_that_dies_ends_too(stage, tmp_path):
    file = tmp_path / "pid"
    stage.failed(stage.start("dies_above_a_process", file=str(file)), "exited")
    left = int(file.read_text())
    until(lambda: not lives(left), 5, "what was below has ended")
    assert stage.value(stage.start("echo", text=1)) == 1


def test_a_fresh_run_gets_a_new_process_each_time(stage):
    ids = stage.starts("fresh", 6)
    pids = [stage.value(id) for id in ids]
    assert len(set(pids)) == 6
    assert -1 not in pids


def test_fresh_runs_between_others_are_fresh_and_the_others_run(stage):
    ids = []
    for _ in range(5):
        ids += [*stage.starts("pid", 5), stage.start("fresh")]
    stage.all_ended(ids)
    assert stage.fields(ids, "result", "attempts") == [["successful", "1"]] * 30
    fresh = [stage.value(id) for id in ids[5::6]]
    assert len({*fresh}) == 5
    for nth, id in enumerate(ids):
        if nth % 6 != 5:
            assert stage.value(id) != os.getpid()
