"""What a decorator says of the runs of its function, and what a run may answer instead of a result."""

import pickle
from datetime import timedelta

import pytest

from doshit import Cancel, ConfigurationError, Doshit, DoshitError, Retry, TaskCancelled, TimeLimitExceeded
from doshit.client.policy import Policy


def nothing() -> None: ...


def policy(**given):
    return Doshit().task(**given)(nothing).policy


def test_a_plain_task_has_no_limits_and_no_retries():
    assert Doshit().task(nothing).policy == Policy() == policy(name="x")


def test_a_decorator_says_limits_and_retries_in_plain_values():
    said = policy(
        time_limit=timedelta(minutes=1),
        memory_limit="200MB",
        retries=3,
        retry_delay=0,
        retry_backoff=3,
        retry_on=OSError,
        no_retry_on=[FileNotFoundError],
        alone=True,
        fresh=True,
    )
    assert said == Policy(60.0, 200_000_000, 3, 0.0, 3.0, (OSError,), (FileNotFoundError,), True, True)


def test_a_policy_writes_nothing_into_tasks():
    assert Doshit().task(time_limit=5, retries=2)(nothing).job().fields == ()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"time_limit": 0}, "'time_limit': a limit of 0 s"),
        ({"time_limit": -1}, "'time_limit'"),
        ({"memory_limit": "much"}, "'memory_limit': 'much' is no size"),
        ({"retries": 1.5}, "'retries': 1.5 is no whole number"),
        ({"retry_backoff": 0}, "'retry_backoff': 0 is no factor"),
        ({"retry_on": "ValueError"}, "'retry_on': 'V' is no exception class"),
        ({"retry_on": (ValueError, 5)}, "'retry_on': 5 is no exception class"),
        ({"no_retry_on": int}, "'no_retry_on': <class 'int'> is no exception class"),
        ({"fresh": 1}, "'fresh': 1 is neither"),
        ({"colour": "red"}, "'colour': there is no such option of a task; options are time_limit"),
    ],
)
def test_a_bad_policy_is_refused_by_name_when_it_is_written_down(given, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        policy(**given)


@pytest.mark.parametrize(
    ("given", "error", "is_wanted"),
    [
        ({}, ValueError(), True),
        ({}, TimeLimitExceeded(), True),
        ({}, MemoryError(), True),
        ({}, SystemExit(), True),
        ({}, TaskCancelled(), False),
        ({"retry_on": OSError}, ConnectionError(), True),
        ({"retry_on": OSError}, ValueError(), False),
        ({"retry_on": OSError}, TimeLimitExceeded(), False),
        ({"retry_on": Exception}, TimeLimitExceeded(), False),
        ({"retry_on": BaseException}, TimeLimitExceeded(), True),
        ({"retry_on": BaseException}, TaskCancelled(), False),
        ({"no_retry_on": OSError}, ConnectionError(), False),
        ({"no_retry_on": OSError}, ValueError(), True),
        ({"retry_on": OSError, "no_retry_on": ConnectionError}, ConnectionError(), False),
        ({"retry_on": OSError, "no_retry_on": ConnectionError}, OSError(), True),
    ],
)
def test_an_error_is_worth_another_run_as_the_decorator_says(given, error, is_wanted):
    assert policy(**given).wants_retry(error) is is_wanted


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({}, ["time-limit", "memory-limit", "exited"]),
        ({"retry_on": ValueError}, []),
        ({"retry_on": Exception}, ["memory-limit"]),
        ({"retry_on": (TimeLimitExceeded, SystemExit)}, ["time-limit", "exited"]),
        ({"retry_on": BaseException}, ["time-limit", "memory-limit", "exited"]),
        ({"no_retry_on": (TimeLimitExceeded,)}, ["memory-limit", "exited"]),
    ],
)
def test_runs_that_were_killed_are_told_apart_by_the_exceptions_that_stand_for_them(given, codes):
    assert policy(**given).codes() == codes


def test_retry_says_when_and_why():
    assert (Retry().after, Retry(3).after, Retry(timedelta(minutes=1)).after) == (None, 3.0, 60.0)
    assert str(Retry(3)) == "the task asked to be run again after 3 s"
    assert str(Retry(reason="busy")) == "busy"
    assert str(Cancel()) == "the task cancelled itself"
    assert str(Cancel("no such user")) == "no such user"


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf"), "soon", [], timedelta(seconds=-1)])
def test_retry_refuses_what_is_no_duration(after):
    with pytest.raises(ConfigurationError, match=r"Retry\(after="):
        Retry(after)


def test_answers_survive_a_way_between_processes():
    again = pickle.loads(pickle.dumps(Retry(2, "busy")))
    assert (again.after, again.reason) == (2.0, "busy")
    assert pickle.loads(pickle.dumps(Cancel("no"))).reason == "no"


def test_what_ends_a_run_from_outside_passes_code_that_catches_its_errors():
    for kind in (TimeLimitExceeded, TaskCancelled):
        assert issubclass(kind, BaseException)
        assert not issubclass(kind, Exception)
    for each in (Retry, Cancel, TimeLimitExceeded, TaskCancelled):
        assert not issubclass(each, DoshitError)
