"""Runs again after a failed run: how often, how soon, after which ends, and what is kept of the failures."""

import json
from functools import partial

import pytest

from worker.standing import standing
from worker.workers import until

QUICK = {"retries": 3, "retry-delay": "0.01"}


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("retries"), children=2) as stage:
        yield stage


def failures(task):
    return json.loads(task["failures"])


def test_a_function_is_run_again_as_often_as_its_decorator_says(stage):
    task = stage.failed(stage.start("fails_twice_at_most", message="no"), "exception")
    assert (task["attempts"], task["retried"], task["error-reason"]) == ("3", "2", "ValueError: no")
    assert [one["attempt"] for one in failures(task)] == [1, 2]
    assert {(one["code"], one["reason"]) for one in failures(task)} == {("exception", "ValueError: no")}
    assert sorted(failures(task)[0]) == ["at", "attempt", "code", "reason"]


def test_a_plain_producer_asks_for_retries_by_fields(stage):
    id = stage.start("fails_until", QUICK, attempt_that_works=3)
    assert stage.value(id) == 3
    task = stage.task(id)
    assert (task["attempts"], task["retried"]) == ("3", "2")
    assert [one["reason"] for one in failures(task)] == [f"ValueError: attempt {n} does not work" for n in (1, 2)]


def test_the_field_wins_over_the_decorator(stage):
    task = stage.failed(stage.start("fails_twice_at_most", {"retries": 0}, message="no"), "exception")
    assert (task["attempts"], "retried" in task) == ("1", False)


def test_without_retries_a_failed_run_is_the_end(stage):
    task = stage.failed(stage.start("fails_until", attempt_that_works=2), "exception")
    assert (task["attempts"], "failures" in task) == ("1", False)


def test_the_waits_grow_and_are_spread(stage):
    """retry-delay 1000 s and a factor of 3: between half and all of 1000 * 3 ** n, an hour at most."""
    waits = []
    for retried in range(3):
        id = stage.start(
            "fails_until",
            {"retries": 9, "retry-delay": 1000, "retry-backoff": 3, "retried": retried, "attempts": retried},
            attempt_that_works=99,
        )
        due = until(
            partial(stage.client.zscore, stage.key("default", "scheduled"), id), what="it waits for its next run"
        )
        seconds, micros = stage.client.time()
        waits.append(due / 1000 - (seconds + micros / 1e6))
        stage.cancel(id)
        stage.failed(id, "cancelled")
    for wait, most in zip(waits, (1000, 3000, 3600), strict=True):
        assert most / 2 - 20 < wait <= most


@pytest.mark.parametrize(
    ("function", "kind", "attempts"),
    [
        ("retried_on_connection", "ConnectionResetError", "4"),
        ("retried_on_connection", "ValueError", "1"),
        ("not_retried_on_lookup", "KeyError", "1"),
        ("not_retried_on_lookup", "ValueError", "4"),
    ],
)
def test_only_what_is_worth_it_is_run_again(stage, function, kind, attempts):
    task = stage.failed(stage.start(function, kind=kind), "exception")
    assert task["attempts"] == attempts


@pytest.mark.parametrize("returned", [False, True])
@pytest.mark.parametrize("after", [0.0, 0.01, None])
def test_a_run_may_ask_for_another_by_itself(stage, returned, after):
    fields = {"retry-delay": "0.01"}
    id = stage.start("asks_for_another", fields, until_attempt=3, after=after, returned=returned)
    assert stage.value(id) == 3
    assert [one["reason"] for one in failures(stage.task(id))] == ["not yet", "not yet"]


def test_a_run_that_asks_for_ever_gets_as_many_as_its_retries_say(stage):
    task = stage.failed(stage.start("asks_for_ever"), "exception")
    assert (task["attempts"], task["error-reason"]) == ("3", "not yet")


def test_where_no_retries_are_set_a_run_gets_a_hundred_and_ten_failures_are_kept(stage):
    # As it stands after 88 of them.
    before = {"attempts": 88, "retried": 88}
    task = stage.failed(stage.start("asks_for_another", before, until_attempt=1000), "exception")
    assert (task["attempts"], task["retried"]) == ("101", "100")
    assert [one["attempt"] for one in failures(task)] == list(range(91, 101))


@pytest.mark.parametrize("how", ["SIGKILL", "os._exit", "sys.exit"])
def test_a_run_whose_process_ended_is_run_again(stage, how):
    id = stage.start("dies_at_first", how=how)
    assert stage.value(id) == 2
    (failure,) = failures(stage.task(id))
    assert (failure["code"], failure["attempt"]) == ("exited", 1)
    assert "lost" not in stage.task(id)


@pytest.mark.parametrize("how", ["masked", "sleeps"])
def test_a_run_over_its_time_is_run_again(stage, how):
    id = stage.start("dies_at_first", {"time-limit": "0.2"}, how=how)
    assert stage.value(id) == 2
    assert failures(stage.task(id))[0]["code"] == "time-limit"


def test_a_run_over_its_memory_is_run_again_and_fails_when_it_has_none_left(stage):
    fields = {"memory-limit": 32 << 20, "retries": 1, "retry-delay": "0.01"}
    task = stage.failed(stage.start("hog", fields, megabytes=1000), "memory-limit")
    assert (task["attempts"], failures(task)[0]["code"]) == ("2", "memory-limit")


def test_bad_arguments_are_not_tried_again(stage):
    task = stage.failed(stage.start("takes_a_number", number="one"), "bad-args")
    assert (task["attempts"], "retried" in task) == ("1", False)


@pytest.mark.parametrize("spoilt", ["", "junk", "-3", "1.5", "9" * 30, "\u0663"])
@pytest.mark.parametrize("field", ["retried", "failures", "attempts"])
def test_what_a_stranger_wrote_into_the_counters_harms_no_worker(stage, field, spoilt):
    id = stage.start("fails_until", {**QUICK, field: spoilt}, attempt_that_works=99)
    stage.failed(id, "exception")
    assert stage.value(stage.start("echo", text=1)) == 1


@pytest.mark.parametrize("fields", [
    {"retry-delay": "9999999999", "retry-backoff": "9999999999"},
    {"retries": "999999999999999", "retry-delay": "0.01"},
    {"retry-delay": "0", "retry-backoff": "0"},
])  # fmt: skip
def test_extreme_wishes_harm_no_worker(stage, fields):
    id = stage.start("fails_until", {"retries": 400, "retried": "390", **fields}, attempt_that_works=3)
    until(lambda: int(stage.task(id).get("retried", 0)) > 390 or stage.task(id)["state"] == "finished")
    stage.cancel(id)
    stage.ended(id)
    assert stage.value(stage.start("echo", text=1)) == 1
