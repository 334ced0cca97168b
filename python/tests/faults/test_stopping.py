"""Rows 12 and 13: workers that are asked to end, once, twice, in a storm, and one after the other under load."""

import os
import random
import signal
import time

import pytest

from faults.harness import Scene
from faults.kinds import EACH, FLEET, MIXED, kinds
from worker.test_stops import (
    test_a_run_longer_than_the_grace_goes_back_to_the_front_and_is_no_loss as test_row_12_longer_than_the_grace,
)
from worker.test_stops import (
    test_a_run_that_ends_within_the_grace_is_finished_and_nothing_else_is_fetched as test_row_12_within_the_grace,
)
from worker.test_stops import (
    test_a_second_signal_hands_back_at_once as test_row_12_a_second_signal,
)
from worker.test_stops import (
    test_a_storm_of_signals_under_load_is_quiet_and_loses_nothing as test_row_12_a_storm_under_load,
)
from worker.test_stops import (
    test_a_worker_that_is_stopped_while_redis_is_away_ends_before_it_would_be_killed as test_row_12_redis_is_away,
)
from worker.test_stops import (
    test_an_idle_worker_ends_promptly_takes_its_name_away_and_fetches_nothing_more as test_row_12_nothing_after,
)
from worker.workers import Worker, until

__all__ = [
    "test_row_12_a_second_signal",
    "test_row_12_a_storm_under_load",
    "test_row_12_longer_than_the_grace",
    "test_row_12_nothing_after",
    "test_row_12_redis_is_away",
    "test_row_12_within_the_grace",
]

IDLE_END = 2.0


@kinds(*EACH)
def test_row_12_an_idle_worker_ends_within_two_seconds(scene, figure, rng):
    taken = []
    for _ in range(3):
        worker = scene.worker(children=2)
        scene.submit(5)
        scene.check()
        time.sleep(rng.random() / 2)  # any moment of its idle wait
        at = time.monotonic()
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        taken.append(time.monotonic() - at)
    figure(f"idle worker ended after at most {max(taken):.2f} s")
    assert max(taken) < IDLE_END


@kinds(*EACH)
def test_row_12_a_stopped_worker_with_a_run_that_ignores_signals_hands_it_back(scene):
    worker = scene.worker(children=2, grace=0.5)
    (id,) = scene.submit(1, "deaf", how="catches everything", seconds=3.0)
    scene.ledger.await_begun([id])
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    until(lambda: not worker.tree(), 5, "no process is left")
    scene.worker(children=2)
    scene.check()
    task = scene.world.task(id)
    assert (task["attempts"], "lost" in task) == ("2", False)


def storm(worker: Worker, rng: random.Random) -> None:
    """Signals of all kinds that ask for an end, to the worker and to its whole group, until it has ended."""
    deadline = time.monotonic() + 15
    while worker.process.poll() is None and time.monotonic() < deadline:
        number = rng.choice((signal.SIGTERM, signal.SIGINT))
        if rng.random() < 0.2:
            os.killpg(worker.pid, number)
        else:
            worker.signal(number)
        time.sleep(rng.random() * 0.01)
    # One that comes when everything is handed back and the interpreter has taken its handlers down ends it too.
    assert worker.wait() in (0, -signal.SIGTERM, -signal.SIGINT)


@kinds(*EACH, MIXED, quick=[MIXED])
def test_row_12_a_storm_of_signals_leaves_no_process_and_loses_no_id(scene, rng):
    worker = scene.worker(children=3)
    ids = scene.submit(300, seconds=0.01)
    scene.ledger.await_begun(ids[: rng.randrange(1, 100)])
    storm(worker, rng)
    until(lambda: not worker.tree(), 5, "no process is left")
    assert scene.world.entries() == []
    scene.worker(children=3)
    scene.check()
    assert scene.losses(ids) == 0


@kinds(*EACH, MIXED)
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_row_13_twenty_rolling_restarts_under_load_lose_and_repeat_nothing(scene, rng, figure):
    workers = [scene.worker(children=2), scene.worker(children=2)]
    ids: list[str] = []
    for _ in range(20):
        ids += scene.submit(100, seconds=0.005)
        scene.ledger.await_begun(ids[: len(ids) - rng.randrange(100)])
        leaving = workers.pop(0)
        leaving.signal(signal.SIGTERM)
        workers.append(scene.worker(children=2))
        assert leaving.wait() == 0
    scene.check()
    assert scene.losses(ids) == 0
    scene.ran_once(ids)
    figure(f"{len(ids)} tasks under 20 restarts: each ran once, no loss counted")


@kinds(*FLEET, quick=[MIXED])
def test_row_13_three_rolling_restarts_under_load(scene: Scene, rng: random.Random):
    workers = [scene.worker(children=2), scene.worker(children=2)]
    ids = scene.submit(600, seconds=0.005)
    for _ in range(3):
        scene.ledger.await_begun(ids[: rng.randrange(len(ids))])
        leaving = workers.pop(0)
        leaving.signal(signal.SIGTERM)
        workers.append(scene.worker(children=2))
        assert leaving.wait() == 0
    scene.check()
    scene.ran_once(ids)
