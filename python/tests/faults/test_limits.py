"""Rows 7b, 11, 14 and 27: runs that take too much, hear nothing, leave things behind, or are not wanted any more."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from doshit import TaskFailed
from faults.harness import Scene, kill, spread
from faults.kinds import EACH, FLEET, ISOLATED, MIXED, NODE, PYTHON, kinds
from faults.tasks import DEAF
from worker.workers import until

MEGABYTE = 1 << 20
GRACE = 0.5
"""Seconds between the soft form of a limit and the kill."""
JUDGED = 0.6
"""Seconds that it may take a Node worker to learn what a busy process is in."""


# Row 7b


@kinds(*EACH, quick=[NODE])
def test_row_07b_a_memory_hog_is_ended_at_its_limit_and_its_neighbours_are_not(scene, figure):
    worker = scene.worker(children=2)
    beside = scene.submit(100, seconds=0.01)
    hog = scene.submit_one("hog", {"memory_limit": 200 * MEGABYTE}, megabytes_a_second=300, most=1000)
    scene.check()
    task = scene.world.task(hog)
    assert task["error-code"] == "memory-limit"
    assert task["attempts"] == "1"
    words = {word: at for word, _, at in scene.ledger.read().words[hog]}
    assert "has-400" not in words, f"it went on for more than half a second beyond its limit: {sorted(words)}"
    assert scene.fields_of(beside, "result", "attempts") == [["successful", "1"]] * 100
    assert worker.process.poll() is None
    figure(f"a hog of 300 MB/s under a limit of 200 MB: {task['error-reason']}")


# Row 11


@kinds(*EACH, MIXED)
@pytest.mark.slow
def test_row_11_a_run_deaf_for_longer_than_the_lease_is_not_run_twice(scene):
    scene.worker(children=2)
    scene.worker(children=2)
    ids = [*scene.submit(1, "deaf", how="a C call with the GIL", seconds=13.0)]
    ids += scene.submit(1, "deaf", how="every signal masked", seconds=13.0)
    scene.check(30)
    scene.ran_once(ids)
    assert scene.attempts(ids) == {"1": 2}


@kinds(*EACH, quick=[NODE])
@pytest.mark.parametrize("how", DEAF)
def test_row_11_a_time_limit_ends_what_hears_nothing(scene, how, kind, figure):
    worker = scene.worker(children=2)
    id = scene.submit_one("deaf", {"time_limit": 1.0}, how=how, seconds=60.0)
    beside = scene.submit(20, seconds=0.05)
    scene.check()
    begun = scene.ledger.read().begun[id][0]
    task = scene.world.task(id)
    assert (task["error-code"], task["attempts"]) == ("time-limit", "1")
    took = _seconds_between(task["executing-created"], task["finished-created"])
    assert begun
    assert took < 1.0 + GRACE + 1.0 + (0 if kind == PYTHON else JUDGED)
    assert scene.attempts(beside) == {"1": 20}
    if kind != NODE:  # there they share the process that falls: they go back, uncounted
        scene.ran_once(beside)
    assert worker.process.poll() is None
    figure(f"{how}: ended {took:.2f} s after its claim under a limit of 1 s")


def _seconds_between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


# Row 14


@kinds(PYTHON, ISOLATED)
def test_row_14_a_daemonised_grandchild_ends_with_its_run(scene):
    worker = scene.worker(children=2)
    (id,) = scene.submit(1, "daemon")
    scene.check()
    (grandchild,) = [pid for word, pid, _ in scene.ledger.read().words[id] if word == "grandchild"]
    try:
        until(lambda: not _lives(grandchild), 5, "the grandchild is ended with the run")
    finally:
        kill(grandchild)
    assert worker.process.poll() is None


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class FewProcesses:
    """A pids controller of its own: what is in it can not have more processes than so many."""

    ROOTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))

    def __init__(self, most: int) -> None:
        self.folder = next(root for root in self.ROOTS if (root / "cgroup.procs").exists()) / f"faults-{os.getpid()}"
        self.folder.mkdir()
        try:
            (self.folder / "pids.max").write_text(str(most))
        except OSError:
            self.folder.rmdir()
            raise

    def take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        for pid in (self.folder / "cgroup.procs").read_text().split():
            kill(int(pid))
        until(lambda: not (self.folder / "cgroup.procs").read_text(), 10, "the group is empty")
        self.folder.rmdir()


@pytest.fixture
def few_processes() -> Iterator[FewProcesses]:
    try:
        group = FewProcesses(60)
    except (OSError, StopIteration) as error:
        pytest.skip(f"no pids controller here that may be written ({error}): a fork bomb would not be contained")
    yield group
    group.remove()


@kinds(PYTHON)
def test_row_14_a_fork_bomb_is_contained_and_its_worker_goes_on(scene, few_processes):
    worker = scene.worker(children=2)
    processes = worker.tree()
    for pid in processes:
        few_processes.take(pid)
    (id,) = scene.submit(1, "fork_bomb", at_most=200)
    scene.world.ended(id)
    scene.submit(50)
    scene.check()
    assert scene.world.task(id)["result"] == "failed"
    until(lambda: len(worker.tree()) <= len(processes), 10, "the processes of the bomb are gone")
    assert worker.process.poll() is None


@kinds(PYTHON)
@pytest.mark.parametrize("megabytes", [30, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(200)])])
def test_row_14_a_flood_of_output_blocks_nothing_and_costs_no_memory(scene, tmp_path, figure, megabytes):
    worker = scene.worker(children=2)
    begun = time.monotonic()
    (flood,) = scene.submit(1, "flood", megabytes=megabytes)
    ids = scene.submit(50)
    scene.world.all_ended(ids)
    beside = time.monotonic() - begun
    scene.check(180)
    scene.ran_once([flood, *ids])
    assert int(scene.world.task(flood)["output"]) > megabytes * 1_000_000
    assert scene.world.client.xlen(scene.world.key("log", flood)) < 3000, "what is kept is bounded"
    assert worker.process.poll() is None
    figure(
        f"{megabytes} MB of output passed in {time.monotonic() - begun:.1f} s; 50 others beside it in {beside:.1f} s"
    )
    for log in tmp_path.glob("*.log"):
        os.truncate(log, 0)  # it has all of it, and pytest keeps files


@kinds(*EACH)
def test_row_14_a_worker_ends_though_its_run_ignores_it(scene):
    worker = scene.worker(children=2, grace=0.2)
    (id,) = scene.submit(1, "deaf", how="every signal masked", seconds=4.0)
    scene.ledger.await_begun([id])
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    until(lambda: not worker.tree(), 5, "no process is left")
    scene.worker(children=2)
    scene.check()


# Row 27. The plain command cancels; handles and the command line do no other thing.


def cancel(scene: Scene, *ids: str) -> None:
    """One plain command."""
    scene.world.client.lpush(scene.world.key("cancel"), *ids)


def is_cancelled(scene: Scene, id: str, seconds: float = 10) -> bool:
    task = scene.world.ended(id, seconds)
    return (task["result"], task.get("error-code")) == ("failed", "cancelled")


@kinds(*EACH)
def test_row_27_a_pending_task_is_cancelled_and_never_runs(scene, shut_gate):
    scene.worker(children=1)
    (holding,) = scene.submit(1, "hold", gate=str(shut_gate))
    scene.ledger.await_begun([holding])
    first, second = scene.submit(2)
    cancel(scene, first)
    assert is_cancelled(scene, first)
    with pytest.raises(TaskFailed):
        scene.app.handle(first).result(5)
    shut_gate.touch()
    scene.check()
    assert not scene.ledger.read().begun.get(first)
    scene.ran_once([holding, second])


@pytest.fixture
def shut_gate(tmp_path: Path) -> Path:
    return tmp_path / "open"


def test_row_27_a_scheduled_task_is_cancelled_and_never_runs(scene):
    scene.worker(children=1)
    id = scene.submit_one(options={"delay": 3600})
    cancel(scene, id)
    assert is_cancelled(scene, id)
    assert scene.world.client.zcard(scene.world.key("default", "scheduled")) == 0
    scene.check()


@kinds(*FLEET)
def test_row_27_between_fetch_and_claim_it_is_cancelled_or_ends_as_cancelled(scene):
    """A stopped worker's wait has moved the id; another worker hears the cancel."""
    scene.worker("elsewhere", children=1)
    victim = scene.worker(children=1)
    victim.signal(signal.SIGSTOP)
    try:
        (id,) = scene.submit(1, seconds=1.0)
        cancel(scene, id)
        until(lambda: not scene.world.client.exists(scene.world.key("cancel")), what="the cancel was taken")
    finally:
        victim.signal(signal.SIGCONT)
    assert is_cancelled(scene, id)
    scene.check()


@kinds(*EACH, quick=[ISOLATED])
@pytest.mark.parametrize("how", ["sleeps", *DEAF])
def test_row_27_a_running_task_is_cancelled_even_if_it_hears_nothing(scene, how):
    worker = scene.worker(children=2)
    if how == "sleeps":
        (id,) = scene.submit(1, seconds=60.0)
    else:
        (id,) = scene.submit(1, "deaf", how=how, seconds=60.0)
    scene.ledger.await_begun([id])
    cancel(scene, id)
    assert is_cancelled(scene, id, 5)
    scene.submit(20)
    scene.check()
    scene.ran_once(scene.accepted)
    assert worker.process.poll() is None


@kinds(*EACH, quick=[NODE])
def test_row_27_a_stop_whose_answer_is_lost_is_answered_again(scene, start_line, redis_url):
    line = start_line(redis_url)
    scene.worker(children=1, url=line.url)
    (id,) = scene.submit(1, seconds=60.0)
    scene.ledger.await_begun([id])
    line.loses = scene.world.task(id)["claim"].encode()
    scene.app.handle(id).cancel()
    until(lambda: not line.loses, 5, "a beat's answer with the stop was lost")
    assert is_cancelled(scene, id, 5)
    scene.check()


def test_row_27_a_finished_and_an_unknown_task_are_left_as_they_are(scene):
    scene.worker(children=1)
    (id,) = scene.submit(1)
    scene.check()
    before = scene.world.task(id)
    cancel(scene, id, "nobody-knows-it")
    until(lambda: not scene.world.client.exists(scene.world.key("cancel")), what="the cancel was taken")
    (after,) = scene.submit(1)
    scene.check()
    assert scene.world.task(id) == before
    assert not scene.world.client.exists(scene.world.task_key("nobody-knows-it"))
    assert scene.world.task(after)["result"] == "successful"


@kinds(*EACH, MIXED)
def test_row_27_a_cancel_never_hits_the_next_run(scene, shut_gate, rng):
    """Cancels race with the ends of short runs: whoever is not cancelled runs once and well."""
    scene.worker(children=2)
    ids = scene.submit(200, seconds=0.004)
    chosen = set(rng.sample(ids, 60))
    for id in ids:
        if id in chosen:
            cancel(scene, id)
            time.sleep(rng.random() * 0.01)
    scene.check()
    spared = [id for id in ids if id not in chosen]
    assert scene.fields_of(spared, "result", "attempts") == [["successful", "1"]] * len(spared)
    scene.ran_once(spared)


@kinds(*EACH)
def test_row_27_the_waiter_of_a_cancelled_run_is_answered_within_a_second(scene, figure):
    scene.worker(children=2)
    taken = []
    for _ in range(30):
        (id,) = scene.submit(1, seconds=60.0)
        handle = scene.app.handle(id)
        scene.ledger.await_begun([id])
        at = time.monotonic()
        cancel(scene, id)
        with pytest.raises(TaskFailed):
            handle.result(20)
        taken.append(time.monotonic() - at)
    figure(f"cancel of a running task to the answer of its waiter: {spread(taken)}")
    assert sorted(taken)[-1] < 2.0
    scene.check()
