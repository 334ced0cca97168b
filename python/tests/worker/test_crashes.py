"""What is left of the tasks when a supervisor dies, is taken for dead, or loses its name."""

import signal
from pathlib import Path

from worker.workers import FOLDER, count_tasks, until


def test_a_killed_supervisor_leaves_no_process_and_its_tasks_run_beside(start_worker, world, ledger, endings):
    start_worker(children=2)
    victim = start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    ledger.await_lines(300)
    until(lambda: world.client.hlen(held_by(world, victim)) > 2)
    victim.kill()
    until(lambda: not victim.tree(), 5, "the processes of the killed worker are gone")
    world.all_ended(ids, 20)
    lost = [lost for result, lost in world.fields(ids, "result", "lost") if result == "successful"]
    assert (len(lost), set(lost)) == (2000, {None, "1"})
    assert set(endings().values()) == {1}
    assert len(ledger.runs()) - len(set(ledger.runs())) <= lost.count("1")
    world.at_rest()


def test_what_runs_have_started_ends_with_a_killed_supervisor(start_worker, world, tmp_path):
    worker = start_worker(target=f"{FOLDER / 'tasks_limits.py'}:app", children=2)
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        world.push(file.name, "waits_for_a_process", {"file": str(file)})

    def pids() -> list[str]:
        return [pid for file in files if file.exists() for pid in file.read_text().split()]

    until(lambda: len(pids()) == 4, what="two daemons and two plain processes")
    worker.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids()), 10, "what the runs started is gone")
    until(lambda: not worker.tree(), 10, "the processes of the killed worker are gone")


def held_by(world, worker):
    (id,) = [id for id in world.workers() if f"-{worker.pid}-".encode() in id]
    return world.key("held", id.decode())


def test_a_crashed_workers_waiting_ids_are_taken_back_too(start_worker, world):
    victim = start_worker("default", "other", children=2)
    victim.kill()
    # What an idle wait of a dead worker leaves: an id in executing that nobody holds.
    world.push("it", "pid")
    assert world.client.lmove(world.key("default", "pending"), world.key("default", "executing"), "RIGHT", "LEFT")
    start_worker()
    assert world.value("it") > 0
    assert world.task("it").get("lost") is None
    world.at_rest()


def test_a_sealed_worker_ends_its_runs_and_comes_back_under_a_new_name(start_worker, world, gate, endings):
    worker = start_worker(children=2)
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    (old,) = world.workers()
    world.seal(old)
    until(lambda: gate.runs("it") == 2, what="the task runs again")
    gate.open()
    assert world.value("it") == "it"
    assert world.task("it")["attempts"] == "2"
    (new,) = world.workers()
    assert new != old
    assert world.task("it")["worker"] == new.decode()
    assert endings() == {world.task_key("it"): 1}
    assert worker.process.poll() is None
    world.at_rest()


def test_a_worker_sealed_under_load_loses_nothing_and_ends_nothing_twice(start_worker, world, ledger, endings):
    start_worker(children=2)
    start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(1500), "count_slowly"))
    for round in range(3):
        ledger.await_lines(100 + 300 * round)
        world.seal(next(iter(world.workers())))
    world.all_ended(ids)
    assert world.fields(ids, "result") == [["successful"]] * 1500
    assert set(endings().values()) == {1}
    world.at_rest()


def test_a_worker_that_was_stopped_for_longer_than_its_lease_cannot_end_what_runs_elsewhere(
    start_worker, world, gate, endings
):
    stopped, other = start_worker(), start_worker("nothing-yet")
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    stopped.signal(signal.SIGSTOP)
    try:
        until(lambda: len(world.workers()) == 1, what="the stopped worker is sealed")
        until(lambda: world.task("it")["state"] == "pending")
        gate.open()
    finally:
        stopped.signal(signal.SIGCONT)
    assert world.value("it") == "it"
    until(lambda: len(world.workers()) == 2, what="it is back under a new name")
    assert world.task("it")["attempts"] == "2"
    assert endings() == {world.task_key("it"): 1}
    assert other.process.poll() is stopped.process.poll() is None
    world.at_rest()


def test_flushall_under_an_idle_worker_costs_it_nothing(start_worker, world):
    worker = start_worker("default", "other")
    for round in range(3):
        world.client.flushall()
        world.push(f"it{round}", "add", {"a": round, "b": 1})
        assert world.value(f"it{round}") == round + 1
        until(world.workers)
    assert world.client.scard(world.key("queues")) == 2
    assert worker.process.poll() is None


def test_flushall_under_load_ends_in_a_worker_that_serves(start_worker, world, ledger):
    worker = start_worker(children=2)
    world.push_all(count_tasks(ledger, range(1000), "count_slowly"))
    ledger.await_lines(100)
    world.client.flushall()
    after = world.push_all([(f"after{n}", "add", {"a": 1, "b": 1}) for n in range(100)])
    world.all_ended(after)
    world.at_rest()
    assert worker.process.poll() is None
