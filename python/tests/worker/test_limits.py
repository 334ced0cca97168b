"""Limits of time and memory: where they come from, how they end a run, and that they end nothing else."""

import signal
from pathlib import Path

import pytest

from worker.standing import standing
from worker.tasks_limits import DEAF, MEGABYTE
from worker.workers import until

SHORT = {"time-limit": "0.2"}
SMALL = {"memory-limit": 64 * MEGABYTE}


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("limits"), children=2) as stage:
        yield stage


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_limit_in_the_decorator_ends_a_run_and_says_limit_and_time(stage):
    task = stage.failed(stage.start("limited", seconds=30), "time-limit")
    assert task["error-reason"].startswith("time limit of 0.3 s passed: it ran for 0.3")
    assert "TimeLimitExceeded" in task["error-exception"]
    assert "doshit/worker" not in task["error-exception"]
    assert task["attempts"] == "1"


def test_a_limit_in_the_hash_of_a_plain_producer_counts(stage):
    task = stage.failed(stage.start("nap", SHORT, seconds=30), "time-limit")
    assert "time limit of 0.2 s" in task["error-reason"]


@pytest.mark.parametrize(("own", "counts"), [("0.1", "0.1"), ("5", "5")])
def test_a_limit_in_the_hash_wins_over_the_decorator(stage, own, counts):
    id = stage.start("limited", {"time-limit": own}, seconds=0.5)
    assert (stage.ended(id)["result"] == "successful") == (counts == "5")


def test_the_cap_of_a_worker_wins_over_every_wish(server, tmp_path):
    with standing(server, tmp_path, time_limit_cap=0.2, memory_limit_cap=64 * MEGABYTE) as stage:
        ids = [stage.start("nap", seconds=30), stage.start("nap", {"time-limit": "20"}, seconds=30)]
        for id in ids:
            assert "time limit of 0.2 s" in stage.failed(id, "time-limit")["error-reason"]
        stage.failed(stage.start("huge", {"memory-limit": 10**12}, megabytes=4000), "memory-limit")
        assert stage.value(stage.start("limited", seconds=0)) == "slept"


def test_a_run_knows_its_seconds_left_and_one_without_limit_has_none(stage):
    assert stage.value(stage.start("seconds_left")) is None
    assert 0 < stage.value(stage.start("seconds_left", {"time-limit": "50"})) <= 50


def test_a_run_may_catch_the_end_of_its_time_and_return_what_it_has(stage):
    assert stage.value(stage.start("saves_what_it_has", SHORT, seconds=30)) == "half of it"


@pytest.mark.parametrize("what", ["ValueError", "SystemExit"])
def test_what_a_run_raises_when_its_time_is_up_is_still_the_time_limit(stage, what):
    task = stage.failed(stage.start("turns_it_into", SHORT, what=what), "time-limit")
    assert what in task["error-exception"]


def test_except_exception_does_not_swallow_the_end(stage):
    pid = stage.value(stage.start("pid"))
    task = stage.failed(stage.start("swallows_exceptions", SHORT), "time-limit")
    assert "killed" not in task["error-reason"]
    until(lambda: stage.value(stage.start("pid")) == pid, 5, "the process of before lives")


@pytest.mark.parametrize("how", DEAF)
def test_a_run_that_does_not_hear_is_killed_and_its_end_says_so(stage, how):
    task = stage.failed(stage.start("deaf", SHORT, how=how), "time-limit")
    assert task["error-reason"].startswith("time limit of 0.2 s passed: it ran for 0.2")
    assert "killed" in task["error-reason"]
    assert task["attempts"] == "1"


def test_what_a_killed_run_has_started_dies_with_it(stage, tmp_path):
    file = tmp_path / "pids"
    stage.failed(stage.start("deaf_family", {"time-limit": "1"}, file=str(file)), "time-limit")
    pids = [int(line) for line in file.read_text().split()]
    assert len(pids) == 2
    until(lambda: not any(map(lives, pids)), 5, "all below the run are gone")


@pytest.mark.parametrize("how", ["every signal masked", "catches everything"])
def test_the_runs_behind_one_that_is_killed_are_not_hit(server, tmp_path, how):
    with standing(server, tmp_path) as stage:
        stage.all_ended(stage.starts("echo", 300))  # short ones, so that batches are long
        before = stage.starts("echo", 20)
        culprit = stage.start("deaf", SHORT, how=how)
        behind = stage.starts("echo", 50)
        stage.failed(culprit, "time-limit")
        stage.all_ended([*before, *behind])
        assert stage.fields([*before, *behind], "result", "attempts") == [["successful", "1"]] * 70


def test_the_runs_behind_one_that_ends_at_its_limit_are_not_hit(server, tmp_path):
    with standing(server, tmp_path) as stage:
        stage.all_ended(stage.starts("echo", 300))
        ids = [stage.start("limited", {"time-limit": "0.02"}, seconds=0.02) for _ in range(40)]
        others = stage.starts("echo", 100)
        stage.all_ended([*ids, *others])
        assert stage.fields(others, "result", "attempts") == [["successful", "1"]] * 100
        ends = {tuple(fields) for fields in stage.fields(ids, "result", "error-code", "attempts")}
        assert ends <= {("successful", None, "1"), ("failed", "time-limit", "1")}


def test_a_second_thread_and_a_stopped_worker_do_not_move_the_limit(stage):
    id = stage.start("nap", {"time-limit": "1"}, seconds=30)
    stage.running(id)
    stage.worker.signal(signal.SIGSTOP)
    stage.worker.signal(signal.SIGCONT)
    stage.failed(id, "time-limit")


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan", "inf", "1e3", "", " 1", "1" * 40, "0x10"])
@pytest.mark.parametrize("field", ["time-limit", "memory-limit", "retries", "retry-delay", "retry-backoff"])
def test_a_limit_that_is_no_number_is_the_tasks_fault_and_no_workers(stage, field, wrong):
    task = stage.failed(stage.start("echo", {field: wrong}), "bad-task")
    assert field in task["error-reason"]


@pytest.mark.parametrize("field", ["time-limit", "memory-limit"])
def test_a_limit_of_nothing_or_of_more_than_there_is_harms_no_worker(stage, field):
    ids = [stage.start("nap", {field: value}, seconds=0.1) for value in ("0", "999999999")]
    stage.all_ended(ids)
    assert stage.task(ids[1])["result"] == "successful"
    assert stage.value(stage.start("echo", text=1)) == 1


# Memory


def test_a_hog_is_ended_by_a_memory_error_that_says_limit_and_measure(stage):
    task = stage.failed(stage.start("limited_hog", megabytes=2000), "memory-limit")
    assert task["error-reason"].startswith("memory limit of 64,000,000 bytes passed: it added ")
    assert "MemoryError" in task["error-exception"]


def test_a_memory_limit_in_the_hash_counts(stage):
    task = stage.failed(stage.start("hog", SMALL, megabytes=2000), "memory-limit")
    assert f"{64 * MEGABYTE:,}" in task["error-reason"]


def test_a_hog_below_the_run_counts_and_dies_with_it(stage):
    task = stage.failed(stage.start("hog_below", SMALL, megabytes=500), "memory-limit")
    assert "memory limit" in task["error-reason"]


def test_one_huge_allocation_is_refused_and_says_the_limit(stage):
    task = stage.failed(stage.start("huge", SMALL, megabytes=8000), "memory-limit")
    assert f"{64 * MEGABYTE:,}" in task["error-reason"]


def test_a_hog_that_ignores_memory_errors_is_killed(stage):
    task = stage.failed(stage.start("deaf_hog", SMALL, megabytes=700), "memory-limit")
    assert "killed" in task["error-reason"]


def test_a_run_may_catch_its_memory_error_and_do_with_less(stage):
    assert stage.value(stage.start("forgiving_hog", SMALL, megabytes=2000)) == "in a smaller way"


def test_a_run_below_its_limit_is_left_alone_also_in_a_process_that_has_grown(stage):
    stage.all_ended([stage.start("hog", megabytes=100) for _ in range(4)])
    ids = [stage.start("hog", SMALL, megabytes=40) for _ in range(4)]
    stage.all_ended(ids)
    assert stage.fields(ids, "result") == [["successful"]] * 4


def test_the_net_of_one_run_is_not_there_for_the_next(stage):
    stage.all_ended([stage.start("huge", SMALL, megabytes=8000), stage.start("huge", SMALL, megabytes=8000)])
    ids = stage.starts("reserves", 4, megabytes=4000)
    stage.all_ended(ids)
    assert stage.fields(ids, "result") == [["successful"]] * 4


def test_the_neighbours_of_a_hog_run_on(stage):
    hog = stage.start("deaf_hog", SMALL, megabytes=700)
    beside = stage.starts("nap", 40, seconds=0.01)
    stage.failed(hog, "memory-limit")
    stage.all_ended(beside)
    assert stage.fields(beside, "result", "attempts") == [["successful", "1"]] * 40


# What a run used


def test_what_a_run_used_stands_in_its_hash(stage):
    task = stage.ended(stage.start("burn", seconds=0.3))
    assert 0.3 <= float(task["cpu-time"]) < 5
    task = stage.ended(stage.start("hog", {"memory-limit": 500 * MEGABYTE}, megabytes=50))
    assert 45 * MEGABYTE < int(task["memory-peak"]) < 150 * MEGABYTE
    assert "cpu-time" in task


def test_what_a_run_used_that_ended_at_its_limit_stands_there_too(stage):
    task = stage.failed(stage.start("hog", SMALL, megabytes=2000), "memory-limit")
    assert int(task["memory-peak"]) > 64 * MEGABYTE


def test_what_a_run_used_that_was_killed_stands_there_too(stage):
    task = stage.failed(stage.start("deaf_hog", SMALL, megabytes=700), "memory-limit")
    assert "killed" in task["error-reason"]
    assert int(task["memory-peak"]) > 64 * MEGABYTE
    assert float(task["cpu-time"]) >= 0.01


@pytest.mark.parametrize("function", ["burn", "burn_below"])
def test_a_long_run_without_limits_says_what_it_used_of_the_processor_child_processes_included(stage, function):
    assert 0.3 <= float(stage.ended(stage.start(function, seconds=0.3))["cpu-time"]) < 5


def test_a_long_run_without_limits_says_what_memory_it_added(stage):
    task = stage.ended(stage.start("hog", megabytes=150))
    assert 140 * MEGABYTE < int(task["memory-peak"]) < 300 * MEGABYTE


def test_what_a_run_used_that_was_killed_for_its_time_stands_there_too(stage):
    task = stage.failed(stage.start("burn_deaf", {"time-limit": "0.3"}), "time-limit")
    assert "killed" in task["error-reason"]
    assert 0.1 <= float(task["cpu-time"]) < 5


def test_what_a_run_without_limits_used_that_was_killed_by_a_cancel_stands_there_too(stage):
    id = stage.start("burn_deaf")
    stage.running(id)
    stage.cancel(id)
    assert float(stage.failed(id, "cancelled")["cpu-time"]) > 0


def test_the_memory_of_child_processes_counts_in_the_peak_of_a_run_with_a_memory_limit(stage):
    task = stage.failed(stage.start("hog_below", SMALL, megabytes=500), "memory-limit")
    assert int(task["memory-peak"]) > 64 * MEGABYTE
