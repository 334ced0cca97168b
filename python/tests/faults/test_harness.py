"""Holds the judge to its word: an invariant that cannot fail would hold nothing. No row of its own."""

import random

import pytest

from faults.harness import Scene
from faults.test_chaos import schedule

WELL = {"state": "finished", "result": "successful", "result-value": '"it"', "attempts": "1"}


@pytest.fixture
def judged(scene: Scene):
    """Asserts the invariant on one task whose hash is as given, with the runs that a ledger says."""
    world = scene.world
    world.client.sadd(world.key("queues"), "default")

    def judge(task: dict[str, str], ledger: str = "begin it 1 0.1\nend it 1 0.2\n") -> None:
        scene.accepted = ["it"]
        scene.ledger.path.write_text(ledger)
        if task:
            world.client.hset(world.task_key("it"), mapping=task)
        scene.check(0.05, 0.05)

    return judge


def test_the_judge_is_content_with_a_task_that_ran_and_ended(judged):
    judged(WELL)


@pytest.mark.parametrize(
    ("task", "lines"),
    [
        ({}, None),
        ({**WELL, "state": "executing"}, None),
        ({**WELL, "result-value": '"another"'}, None),
        ({"state": "finished"}, None),
        ({"state": "finished", "result": "successful"}, None),
        ({"state": "finished", "result": "failed", "error-code": "exception"}, None),
        ({"state": "finished", "result": "failed", "error-reason": "no code"}, None),
        (WELL, ""),
        (WELL, "begin it 1 0.1\n"),
    ],
    ids=["lost", "stuck", "foreign value", "no result", "no value", "no reason", "no code", "never ran", "no end"],
)
def test_the_judge_finds_what_is_wrong_with_a_task(judged, task, lines):
    with pytest.raises(AssertionError):
        judged(task, *([] if lines is None else [lines]))


@pytest.mark.parametrize("which", ["executing", "arrived", "pending"])
def test_the_judge_finds_an_id_that_was_left_in_a_list(judged, scene, which):
    scene.world.client.lpush(scene.world.key("default", which), "it")
    with pytest.raises(AssertionError):
        judged(WELL)


def test_the_judge_finds_what_is_still_held_and_what_is_still_scheduled(judged, scene):
    scene.world.client.hset(scene.world.key("held", "nobody"), "it", "claim default")
    with pytest.raises(AssertionError):
        judged(WELL)
    scene.world.client.delete(scene.world.key("held", "nobody"))
    scene.world.client.zadd(scene.world.key("default", "scheduled"), {"it": 1e15})
    with pytest.raises(AssertionError):
        judged(WELL)


def test_the_judge_finds_a_key_that_nothing_stands_for(judged, scene, monkeypatch):
    monkeypatch.setattr("faults.harness.QUIET", 0.05)
    scene.world.client.set(scene.world.key("default", "debris"), "x")
    with pytest.raises(AssertionError, match="debris"):
        judged(WELL)


def test_a_schedule_depends_on_its_seed_alone():
    random.seed(1)
    first = schedule(7, 60)
    random.seed(2)
    assert schedule(7, 60) == first != schedule(8, 60)
    assert len(first) > 20
