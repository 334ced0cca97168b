"""Rows 1 to 5 and 28, 7 to 10: processes that are killed, stopped or that end themselves, under tasks that run."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from doshit import TaskFailed
from doshit.commands import seal
from doshit.values.keys import Keys
from faults.harness import Scene, kill, spread
from faults.kinds import EACH, FLEET, ISOLATED, MIXED, NODE, PYTHON, kinds
from faults.line import Line
from faults.tasks import ENDS
from worker.test_children import (
    test_a_fork_server_killed_again_and_again_costs_no_task as test_row_07_a_fork_server_killed_again_and_again,
)
from worker.test_children import (
    test_children_killed_from_outside_are_replaced_under_load as test_row_01_children_killed_under_load_are_replaced,
)
from worker.test_crashes import (
    test_a_sealed_worker_ends_its_runs_and_comes_back_under_a_new_name as test_row_10_a_sealed_worker_comes_back_anew,
)
from worker.test_crashes import (
    test_a_worker_that_was_stopped_for_longer_than_its_lease_cannot_end_what_runs_elsewhere as test_row_10_stopped_past_its_lease,  # noqa: E501
)
from worker.workers import Worker, until

__all__ = [
    "test_row_01_children_killed_under_load_are_replaced",
    "test_row_07_a_fork_server_killed_again_and_again",
    "test_row_10_a_sealed_worker_comes_back_anew",
    "test_row_10_stopped_past_its_lease",
]

kinds(PYTHON, ISOLATED)(test_row_01_children_killed_under_load_are_replaced)

RECOVERY = 15.0
"""Seconds within which the tasks of a dead worker run again, at defaults."""
NEXT_CLAIM = 3.0
"""Seconds within which what has arrived runs: an idle worker claims at least every 2 s."""
UNCLAIMED = 5.0
"""Seconds that an id may stand in executing with nobody holding it."""
ADOPTION = 8.0
"""Seconds within which it runs, from when it came there: recover looks once a second."""
MORE = 6
"""Tasks: more than the worker in question has free children."""
ONCE = ["successful", "1", None]
"""The result, attempts and losses of a task that was claimed once and ended well."""
TELLING = {"abort", "sys.exit"}
"""Ends that Node can tell of before they come."""
SEEN = 1.0
"""Seconds within which a worker sees that one of its processes has died."""

Make = Callable[..., list[str]]
Endings = Callable[[], Counter[bytes]]


@pytest.fixture
def by_library(scene: Scene) -> Make:
    return scene.submit


@pytest.fixture
def by_hand(scene: Scene) -> Make:
    """Two plain commands for each task."""
    names = iter(range(1_000_000))
    return lambda count=1, function="work", **args: scene.push(
        *(f"by-hand-{next(names)}" for _ in range(count)), function=function, **args
    )


# Row 1


def a_killed_child_is_seen_and_its_run_fails_naming_the_signal(scene: Scene, make: Make, gate: Path) -> float:
    worker = scene.worker(children=2)
    (id,) = make(function="hold", gate=str(gate))
    scene.ledger.await_begun([id])
    children, at = set(worker.children()), time.monotonic()
    kill(*scene.pids_of([id]))
    task = scene.world.ended(id)
    seen = time.monotonic() - at
    assert (task["error-code"], task["attempts"]) == ("exited", "1")
    assert "SIGKILL" in task["error-reason"]
    until(lambda: len(worker.children()) == len(children), what="the slot is filled again")
    make(20)
    scene.check()
    return seen


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """A gate that is opened by touching it."""
    return tmp_path / "open"


@kinds(PYTHON, ISOLATED, quick=[ISOLATED])
def test_row_01_a_killed_child(scene, by_library, shut, figure):
    seen = a_killed_child_is_seen_and_its_run_fails_naming_the_signal(scene, by_library, shut)
    figure(f"the waiter sees the end {seen:.3f} s after the kill")
    assert seen < SEEN


@kinds(PYTHON, ISOLATED)
def test_row_01_a_killed_child_of_a_task_with_retries_runs_again(scene, shut):
    scene.worker(children=2)
    options = {"retries": 2, "retry_delay": 0.1}
    id = scene.submit_one("first_run_holds", options, gate=str(shut))
    scene.ledger.await_begun([id])
    until(shut.exists)
    kill(*scene.pids_of([id]))
    scene.check()
    task = scene.world.task(id)
    assert (task["result"], task["attempts"], "lost" in task) == ("successful", "2", False)


@kinds(PYTHON, ISOLATED)
def test_row_01_children_killed_as_they_are_born_end_no_worker_that_has_another(scene, shut):
    worker = scene.worker(children=2)
    (id,) = scene.submit(1, "hold", gate=str(shut))
    scene.ledger.await_begun([id])
    at_work = scene.pids_of([id])
    for _ in range(5):
        newborn = until(lambda: set(worker.children()) - at_work)
        for pid in newborn:
            kill(pid)
        _await_end(worker, newborn)
    shut.touch()
    scene.submit(20)
    scene.check()
    assert scene.fields_of([id], "result", "attempts") == [["successful", "1"]]
    assert worker.process.poll() is None


def _await_end(worker: Worker, pids: set[int]) -> None:
    until(lambda: not pids & set(worker.children()), what="the killed are gone")


# Rows 2 and 3


def a_killed_workers_runs_begin_again(
    scene: Scene, make: Make, gate: Path, count: int, whole: bool, anew: bool
) -> list[float]:
    """anew: a worker starts after the kill on the same machine, which sees that its predecessor's process is gone.

    Else one is there already, as on another machine: it has only the lease to go by.
    """
    scene.worker("elsewhere", children=1)  # so that somebody keeps the duties meanwhile
    victim = scene.worker(children=count)
    ids = make(count, function="hold", gate=str(gate))
    scene.ledger.await_begun(ids)
    if not anew:
        scene.worker(children=count)
    at = scene.kill(victim, whole)
    if anew:
        scene.worker(children=count)
    scene.ledger.await_begun(ids, times=2)
    gate.touch()
    scene.check()
    assert scene.attempts(ids) == {"2": count}
    return scene.run_again_after(ids, at)


HOW = pytest.mark.parametrize("anew", [False, True], ids=["elsewhere", "anew"])
WHERE = {False: "on a worker that was there", True: "on a worker started after it on the same machine"}


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.timeout(120)
@HOW
def test_row_02_a_killed_supervisor_with_100_running_tasks(scene, by_library, shut, figure, anew):
    again = a_killed_workers_runs_begin_again(scene, by_library, shut, 100, whole=False, anew=anew)
    figure(f"100 running tasks run again {WHERE[anew]}: {spread(again)}")
    assert again[-1] <= RECOVERY


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.timeout(120)
@HOW
def test_row_03_a_killed_tree_with_100_running_tasks(scene, by_library, shut, figure, anew):
    again = a_killed_workers_runs_begin_again(scene, by_library, shut, 100, whole=True, anew=anew)
    figure(f"100 running tasks run again {WHERE[anew]}: {spread(again)}")
    assert again[-1] <= RECOVERY


@kinds(*EACH, MIXED, quick=[MIXED])
def test_row_02_a_killed_supervisors_runs_begin_again_on_its_successor(scene, by_library, shut):
    again = a_killed_workers_runs_begin_again(scene, by_library, shut, 4, whole=False, anew=True)
    assert again[-1] <= RECOVERY


# Row 4


def what_a_wait_took_for_a_stopped_worker_runs_again(scene: Scene, make: Make, anew: bool) -> list[float]:
    """The server goes on claiming for a worker that is stopped while its wait stands there. Then the worker is killed.

    Seconds until what was claimed runs elsewhere, from the stop, since which there was no beat; anew, as in rows 2 and
    3: on a worker started after the kill, from the kill.
    """
    scene.worker("elsewhere", children=1)
    victim = scene.worker(children=2)
    scene.world.all_ended(make(40))  # after short runs a claim brings many a child, but not that of a wait
    at = _stop_in_its_wait(scene, victim)
    ids = make(MORE)
    taken = [id.decode() for id in scene.world.client.hkeys(scene.world.key("held", _name_of(scene, victim)))]
    others = [id for id in ids if id not in taken]
    if not anew:
        scene.worker(children=2)
        scene.world.all_ended(others)  # by then it has looked for predecessors, and the victim's process is still there
    killed = scene.kill(victim)
    if anew:
        at = killed
        scene.worker(children=2)
    assert 1 <= len(taken) <= 2, f"the claim of a wait took {len(taken)} for two free children"
    scene.check()
    scene.ran_once(ids)
    assert scene.fields_of(taken, "result", "attempts", "lost") == [["successful", "2", "1"]] * len(taken)
    assert scene.fields_of(others, "result", "attempts", "lost") == [ONCE] * len(others)
    again = scene.run_again_after(taken, at)
    assert anew or scene.run_again_after(others, at)[-1] < again[0], "nothing else has to wait for the lease"
    return again


def _name_of(scene: Scene, worker: Worker) -> str:
    """The id under which a worker is registered now."""
    name: bytes = until(lambda: next((id for id in scene.world.workers() if f"-{worker.pid}-".encode() in id), None))
    return name.decode()


def _await_new_wait(scene: Scene, worker: Worker) -> None:
    """Waits until a worker has begun to wait anew, so that its wait has nearly its two seconds to come."""
    key = scene.world.key("worker", _name_of(scene, worker))
    before = scene.world.client.hget(key, "request:1")
    until(lambda: scene.world.client.hget(key, "request:1") != before, what="the claim behind its last wait has run")
    until(lambda: _waits(scene) == len(scene.workers), what="all workers wait")


def _waits(scene: Scene) -> int:
    """How many waits stand at the server."""
    clients = scene.world.client.client_list()
    return sum(client["cmd"] == "blmove" and "b" in client["flags"] for client in clients)


def _stop_in_its_wait(scene: Scene, worker: Worker) -> float:
    """Stops a worker whose wait stands at the server and stays there. When."""
    _await_new_wait(scene, worker)
    at = time.monotonic()
    worker.signal(signal.SIGSTOP)
    return at


@kinds(*FLEET)
@pytest.mark.slow
@HOW
def test_row_04_stopped_in_the_idle_wait_and_killed(scene, by_library, figure, anew):
    again = what_a_wait_took_for_a_stopped_worker_runs_again(scene, by_library, anew)
    since = "killed" if anew else "stopped"
    figure(f"{len(again)} of {MORE} were claimed for it, and run {again[-1]:.1f} s after it was {since}, {WHERE[anew]}")
    assert again[-1] <= RECOVERY


def an_id_that_arrived_and_was_not_claimed_is_taken_by_whoever_asks_next(
    scene: Scene, make: Make, line: Line, how: str
) -> float:
    """The wait of a worker has moved an id, and the claim behind it was not run or was refused: see LEFT.

    Seconds from its submit until it runs: on another worker that is idle, or on the same one if it lives.
    """
    scene.worker(children=1)
    victim = scene.worker(children=1, url=line.url)
    id, at = _left_in_arrived(scene, make, lambda: LEFT[how](scene, victim, line))
    if how == "cut":
        line.loses_claims = False
        line.cut()
    else:
        scene.kill(victim)
    scene.check()
    scene.ran_once(scene.accepted)
    assert scene.fields_of([id], "result", "attempts", "lost") == [ONCE]
    assert (victim.process.poll() is None) == (how == "cut")
    (after,) = scene.run_again_after([id], at)
    return after


def _left_in_arrived(scene: Scene, make: Make, meet: Callable[[], None]) -> tuple[str, float]:
    """An id that stands in arrived, and when it was submitted. meet: has the victim wait, and claim nothing."""
    for _ in range(5):
        meet()
        for _ in range(2):  # who has waited for longer is served first, and waits behind the victim then
            at = time.monotonic()
            (id,) = make(1)
            if scene.world.entries(which="arrived") == [id.encode()]:
                return id, at
            scene.world.ended(id)
            time.sleep(0.05)
    raise AssertionError("the victim was never met in its idle wait")


def _lose_its_claim(scene: Scene, victim: Worker, line: Line) -> None:
    line.loses_claims, before = True, line.lost_claims
    until(lambda: line.lost_claims > before, what="it waits, and no claim stands behind")


def _seal_in_its_wait(scene: Scene, victim: Worker, line: Line) -> None:
    victim.signal(signal.SIGCONT)
    name = _name_of(scene, victim)
    _stop_in_its_wait(scene, victim)
    assert scene.world.client.execute_command(*seal(Keys(scene.world.prefix), [name]).eval()) == [b"sealed"]


LEFT = {"killed": _lose_its_claim, "cut": _lose_its_claim, "sealed": _seal_in_its_wait}
"""How a worker comes to its wait and not to the claim: killed or cut off in between, or taken for dead before."""


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.parametrize("how", LEFT)
def test_row_04_between_the_idle_wait_and_its_claim(start_line, scene, by_library, redis_url, figure, how):
    after = an_id_that_arrived_and_was_not_claimed_is_taken_by_whoever_asks_next(
        scene, by_library, start_line(redis_url), how
    )
    figure(f"{how} between the wait and its claim: the id runs {after:.2f} s after its submit")
    assert after <= NEXT_CLAIM


def an_id_moved_by_a_foreign_worker_that_dies_is_adopted(scene: Scene, make: Make) -> float:
    """A hand-written worker has moved an id to executing, and died before its HSET. Seconds until the id runs."""
    scene.worker("elsewhere", children=1)
    before = scene.worker(children=1)  # so that the queue is known
    before.stop()
    scene.bury(before)
    until(lambda: not _has_amnesty(scene), what="the amnesty is over")
    (id,) = make(1)
    at = time.monotonic()
    pending, executing = scene.world.key("default", "pending"), scene.world.key("default", "executing")
    assert scene.world.client.blmove(pending, executing, 1, "RIGHT", "LEFT") == id.encode()
    scene.worker(children=1)
    scene.check()
    scene.ran_once([id])
    assert scene.fields_of([id], "result", "attempts", "lost") == [ONCE]
    (after,) = scene.run_again_after([id], at)
    return after


def _has_amnesty(scene: Scene) -> bool:
    """May nobody be taken for dead now, and nothing be adopted?"""
    end = scene.world.client.hget(scene.world.key("duties"), "amnesty-until")
    seconds, _ = scene.world.client.time()
    return end is None or seconds * 1000 <= int(end)


@kinds(*FLEET)
@pytest.mark.slow
def test_row_04_a_foreign_worker_killed_before_it_wrote_the_state(scene, by_library, figure):
    after = an_id_moved_by_a_foreign_worker_that_dies_is_adopted(scene, by_library)
    figure(f"the id that a foreign worker moved runs {after:.1f} s after that")
    assert UNCLAIMED <= after <= ADOPTION


# Row 5


def a_run_whose_end_never_reached_redis_runs_twice_and_ends_once(
    scene: Scene, make: Make, start_line: Callable[..., Line], redis_url: str, endings: Endings, gate: Path
) -> float:
    scene.worker("elsewhere", children=1)
    proxy = start_line(redis_url)
    victim = scene.worker(children=1, url=proxy.url)
    (id,) = make(function="hold", gate=str(gate))
    scene.ledger.await_begun([id])
    proxy.hold()
    gate.touch()
    until(lambda: scene.ledger.read().ended.get(id), what="the side effect is done")
    at = scene.kill(victim)
    scene.worker(children=1)
    scene.check()
    assert len(scene.ledger.read().ended[id]) == 2
    assert endings()[scene.world.task_key(id)] == 1
    (again,) = scene.run_again_after([id], at)
    return again


@kinds(*EACH, MIXED)
@pytest.mark.slow
def test_row_05_killed_after_the_side_effect(start_line, scene, by_library, redis_url, endings, shut, figure):
    again = a_run_whose_end_never_reached_redis_runs_twice_and_ends_once(
        scene, by_library, start_line, redis_url, endings, shut
    )
    figure(f"run again {again:.1f} s after the kill, one visible result")
    assert again <= RECOVERY


# Row 28: the same with tasks that two plain commands made


@kinds(PYTHON, ISOLATED)
def test_row_28_by_hand_a_killed_child(scene, by_hand, shut):
    assert a_killed_child_is_seen_and_its_run_fails_naming_the_signal(scene, by_hand, shut) < SEEN


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["supervisor", "tree"])
def test_row_28_by_hand_a_killed_worker(scene, by_hand, shut, whole):
    again = a_killed_workers_runs_begin_again(scene, by_hand, shut, 4, whole, anew=False)
    assert again[-1] <= RECOVERY


@kinds(*FLEET)
@pytest.mark.slow
def test_row_28_by_hand_stopped_in_the_idle_wait_and_killed(scene, by_hand):
    assert what_a_wait_took_for_a_stopped_worker_runs_again(scene, by_hand, anew=False)[-1] <= RECOVERY


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.parametrize("how", LEFT)
def test_row_28_by_hand_between_the_idle_wait_and_its_claim(start_line, scene, by_hand, redis_url, how):
    after = an_id_that_arrived_and_was_not_claimed_is_taken_by_whoever_asks_next(
        scene, by_hand, start_line(redis_url), how
    )
    assert after <= NEXT_CLAIM


@kinds(*FLEET)
@pytest.mark.slow
def test_row_28_by_hand_a_foreign_worker_killed_before_it_wrote_the_state(scene, by_hand):
    assert UNCLAIMED <= an_id_moved_by_a_foreign_worker_that_dies_is_adopted(scene, by_hand) <= ADOPTION


@kinds(*FLEET)
@pytest.mark.slow
def test_row_28_by_hand_killed_after_the_side_effect(start_line, scene, by_hand, redis_url, endings, shut):
    again = a_run_whose_end_never_reached_redis_runs_twice_and_ends_once(
        scene, by_hand, start_line, redis_url, endings, shut
    )
    assert again <= RECOVERY


# Row 7


@kinds(PYTHON, NODE, quick=[NODE])
def test_row_07_a_killed_fork_server_is_there_again_and_its_runs_are_not_blamed(scene, shut, figure):
    worker = scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(shut))
    scene.ledger.await_begun(ids)
    children, (killed,), at = len(worker.children()), worker.fork_servers(), time.monotonic()
    kill(killed)
    until(lambda: set(worker.fork_servers()) - {killed}, what="there is a fork server again")
    until(lambda: len(worker.children()) == children, what="there are as many children again")
    back = time.monotonic() - at
    shut.touch()
    scene.check()
    assert scene.fields_of(ids, "result", "lost") == [["successful", None]] * 2
    figure(f"children again {back:.2f} s after the kill")
    assert back < SEEN


@kinds(PYTHON)
@pytest.mark.slow
def test_row_07_a_fork_server_that_hangs_is_replaced_when_it_is_needed(scene, shut, figure):
    worker = scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(shut))
    scene.ledger.await_begun(ids)
    hanging, children = worker.fork_servers()[0], len(worker.children())
    kill(hanging, signal.SIGSTOP)
    at = time.monotonic()
    try:
        kill(*scene.pids_of(ids[:1]))
        more = scene.submit(4)
        shut.touch()
        scene.world.all_ended([*ids, *more])
        until(lambda: len(worker.children()) == children, what="there are as many children again")
    finally:
        kill(hanging, signal.SIGCONT)
    figure(f"all children again {time.monotonic() - at:.2f} s after a child died under a fork server that hangs")
    scene.check()


@kinds(NODE)
@pytest.mark.slow
def test_row_07_a_host_that_hangs_is_replaced_when_a_run_in_it_must_end(scene, shut, figure):
    """Nothing is wrong with a host in which nothing has to happen; so it is found by the first cancel or limit."""
    worker = scene.worker(children=3)
    late = scene.submit_one("hold", {"time_limit": 1.0}, gate=str(shut))
    beside = scene.submit(2, "hold", gate=str(shut))
    scene.ledger.await_begun([late, *beside])
    (hanging,), at = worker.fork_servers(), time.monotonic()
    kill(hanging, signal.SIGSTOP)
    scene.ledger.await_begun(beside, times=2)
    figure(f"the neighbours run again {time.monotonic() - at:.2f} s after their host hung, a limit of 1 s included")
    shut.touch()
    scene.check()
    assert scene.world.task(late)["error-code"] == "time-limit"
    assert scene.fields_of(beside, "result", "attempts", "lost") == [["successful", "1", None]] * 2
    assert worker.process.poll() is None


# Row 8


@kinds(*EACH, MIXED)
@pytest.mark.slow
@pytest.mark.timeout(150)
def test_row_08_poison_fails_after_three_losses_and_its_neighbours_end_well(scene, figure, rng):
    scene.worker("elsewhere", children=1)
    scene.worker(children=3)
    before, (poison,) = scene.submit(40, seconds=0.2), scene.submit(1, "poison")
    ids = [*before, *scene.submit(40, seconds=0.2)]
    begun = time.monotonic()
    while scene.world.client.hget(scene.world.task_key(poison), "state") != b"finished":
        _replace_dead(scene)
        assert time.monotonic() - begun < 120, scene.world.task(poison)
        time.sleep(0.05)
    scene.check()
    task = scene.world.task(poison)
    assert (task["error-code"], task["lost"]) == ("worker-lost", "3")
    assert len(scene.ledger.read().begun[poison]) == 3
    assert scene.fields_of(ids, "result") == [["successful"]] * len(ids)
    worst = max(int(lost or 0) for (lost,) in scene.fields_of(ids, "lost"))
    figure(f"failed after 3 losses and {time.monotonic() - begun:.0f} s; a neighbour lost at most {worst} runs")
    assert worst <= 2


def _replace_dead(scene: Scene) -> None:
    for worker in [worker for worker in scene.workers if worker.process.poll() is not None]:
        scene.bury(worker)
        scene.worker(children=3)


# Row 9


@kinds(PYTHON, ISOLATED)
@pytest.mark.parametrize("how", ENDS)
def test_row_09_a_run_that_ends_its_process_is_never_successful(scene, how, rng: random.Random):
    worker = scene.worker(children=2)
    ids = scene.submit(rng.randrange(1, 30))
    (it,) = scene.submit(1, "ends", how=how)
    ids += scene.submit(rng.randrange(1, 30))
    scene.check()
    assert scene.world.task(it)["error-code"] == "exited"
    with pytest.raises(TaskFailed):
        scene.app.handle(it).result(5)
    assert scene.fields_of(ids, "result", "attempts") == [["successful", "1"]] * len(ids)
    scene.ran_once(ids)
    assert worker.process.poll() is None


@kinds(NODE, quick=[NODE])
@pytest.mark.parametrize("how", ENDS)
def test_row_09_a_run_that_ends_the_process_it_shares_is_found(scene, how, shut):
    """Whoever says that it leaves is blamed at once. Else the runs go on one by one, and the next fall tells."""
    worker = scene.worker(children=4)
    beside = scene.submit(3, "hold", gate=str(shut))
    scene.ledger.await_begun(beside)
    (it,) = scene.submit(1, "ends", how=how)
    task = scene.world.ended(it)
    shut.touch()
    ids = [*beside, *scene.submit(20)]
    scene.check()
    assert task["error-code"] == "exited"
    if how in TELLING:
        assert scene.attempts([it, *ids]) == {"1": len(ids) + 1}
    assert scene.fields_of(ids, "result", "lost") == [["successful", None]] * len(ids)
    assert worker.process.poll() is None


# Row 10


@kinds(*EACH, MIXED)
@pytest.mark.slow
def test_row_10_a_worker_stopped_past_its_lease_ends_its_old_runs(scene, shut, figure, endings):
    stopped = scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(shut))
    scene.ledger.await_begun(ids)
    processes = scene.pids_of(ids)
    at = time.monotonic()
    os.kill(stopped.pid, signal.SIGSTOP)  # the supervisor alone: its children go on running
    try:
        other = scene.worker(children=2)
        scene.ledger.await_begun(ids, times=2)
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    until(lambda: not processes & set(stopped.tree()), 5, "the runs that were taken away are ended")
    shut.touch()
    scene.check()
    figure(f"run again elsewhere: {spread(scene.run_again_after(ids, at))}; the stopped worker ended its own")
    assert scene.attempts(ids) == {"2": 2}
    assert {endings()[scene.world.task_key(id)] for id in ids} == {1}
    assert stopped.process.poll() is other.process.poll() is None
