"""How a worker ends: by signals, in order, and without taking a task along."""

import os
import signal

import pytest

from worker.workers import count_tasks, until


def test_an_idle_worker_ends_promptly_takes_its_name_away_and_fetches_nothing_more(start_worker, world):
    worker = start_worker("first", "second", children=2)
    (id,) = world.workers()
    until(lambda: worker.is_whole(2))
    worker.signal(signal.SIGTERM)
    assert worker.wait(4) == 0
    world.push("it", "pid", queue="first")
    assert world.workers() == {}
    assert not world.client.exists(world.key("worker", id.decode()))
    assert (world.entries("first", "pending"), world.entries("first")) == ([b"it"], [])
    assert "Traceback" not in worker.log()


def test_a_run_that_ends_within_the_grace_is_finished_and_nothing_else_is_fetched(start_worker, world, gate):
    worker = start_worker(grace=50.0)
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log())
    world.push("later", "pid")
    gate.open()
    assert worker.wait() == 0
    assert world.value("it") == "it"
    assert world.task("it")["attempts"] == "1"
    assert world.entries(which="pending") == [b"later"]
    assert world.entries() == []


def test_a_run_longer_than_the_grace_goes_back_to_the_front_and_is_no_loss(start_worker, world, gate, endings):
    worker = start_worker(grace=0.2)
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    world.push_all([("next", "pid", None), ("last", "pid", None)])
    assert worker.stop() == 0
    assert world.entries(which="pending") == [b"last", b"next", b"it"]
    task = world.task("it")
    assert (task["state"], task["attempts"], "lost" in task, "claim" in task) == ("pending", "1", False, False)
    assert world.task("next").get("attempts", "0") == "0"
    gate.open()
    start_worker()
    world.all_ended(["it", "next", "last"])
    assert world.fields(["it", "next"], "attempts", "lost") == [["2", None], ["1", None]]
    assert set(endings().values()) == {1}


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_hands_back_at_once(start_worker, world, gate, second):
    worker = start_worker(grace=1000.0, children=2)
    world.push_all([(name, "block", gate.args(name)) for name in "ab"])
    gate.await_begun("a", "b")
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log())
    worker.signal(second)
    assert worker.wait() == 0
    assert world.entries(which="pending") == [b"b", b"a"], "the oldest is the next again"
    assert world.entries() == []


def test_a_storm_of_signals_under_load_is_quiet_and_loses_nothing(start_worker, world, ledger, endings):
    worker = start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    ledger.await_lines(100)
    for _ in range(200):
        worker.signal(signal.SIGINT)
    assert worker.wait() == 0
    assert "Traceback" not in worker.log()
    assert world.entries() == []
    start_worker(children=2)
    world.all_ended(ids)
    assert world.fields(ids, "result", "lost") == [["successful", None]] * 2000
    assert set(endings().values()) == {1}
    assert len(ledger.runs()) <= 2002
    world.at_rest()


def test_a_stop_under_load_runs_nothing_twice(start_worker, world, ledger):
    worker = start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    ledger.await_lines(100)
    assert worker.stop() == 0
    assert (world.entries(), sorted(world.client.scan_iter(world.key("held", "*")))) == ([], [])
    start_worker(children=2)
    world.all_ended(ids)
    assert world.fields(ids, "attempts", "lost") == [["1", None]] * 2000
    assert sorted(ledger.runs(), key=int) == ids


def test_ten_rolling_restarts_of_two_workers_run_every_task_once(start_worker, world, ledger, endings):
    workers = [start_worker(), start_worker()]
    ids = world.push_all(count_tasks(ledger, range(3000), "count_slowly"))
    for _ in range(10):
        done = len(ledger.lines())
        assert workers.pop(0).stop() == 0
        workers.append(start_worker())
        ledger.await_lines(min(done + 10, len(ids)))
    world.all_ended(ids)
    assert world.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * 3000
    assert sorted(ledger.runs(), key=int) == ids
    assert endings() == dict.fromkeys(map(world.task_key, ids), 1)
    world.at_rest()


def test_a_signal_to_the_whole_process_group_is_the_same_as_one_to_the_worker(start_worker, world, gate):
    worker = start_worker(grace=50.0)
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    os.killpg(worker.pid, signal.SIGINT)
    until(lambda: "stopping" in worker.log())
    gate.open()
    assert worker.wait() == 0
    assert world.value("it") == "it"


@pytest.mark.parametrize("runs", [False, True])
def test_a_worker_that_is_stopped_while_redis_is_away_ends_before_it_would_be_killed(
    start_proxy, start_worker, world, gate, redis_url, runs
):
    proxy = start_proxy(redis_url)
    worker = start_worker("default", "other", url=proxy.url, **({"grace": 0.2} if runs else {}))
    world.push("first", "pid")
    world.value("first")
    if runs:
        world.push("it", "block", gate.args("it"))
        gate.await_begun("it")
    proxy.hold()
    worker.signal(signal.SIGTERM)
    assert worker.wait(10) in (0, 1)


def test_a_stopped_worker_hands_back_what_a_wait_moved_at_the_last_moment(start_worker, world):
    for round in range(5):
        worker = start_worker("default", "other", children=2)
        worker.signal(signal.SIGTERM)
        ids = world.push_all([(f"{round}-{n}", "pid", None) for n in range(10)])
        assert worker.wait() == 0
        assert world.entries() == []
        assert all(world.task(id)["state"] == "finished" or id.encode() in world.entries(which="pending") for id in ids)
