"""Options of an enqueue: what each writes, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from doshit import ConfigurationError, Doshit
from doshit.client.options import Options

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "delay", "fields"),
    [
        ({}, "", ()),
        ({"delay": 10}, "10", ()),
        ({"delay": 0.25}, "0.25", ()),
        ({"delay": timedelta(minutes=2)}, "120", ()),
        ({"at": NOW + timedelta(seconds=90)}, "90", ()),
        ({"at": NOW - timedelta(days=1)}, "", ()),
        ({"at": datetime(2030, 1, 1, 14, 0, 5, tzinfo=timezone(timedelta(hours=2)))}, "5", ()),
        ({"expires": 60}, "", ("expires", "2030-01-01T12:01:00.000000Z")),
        ({"expires": timedelta(hours=1)}, "", ("expires", "2030-01-01T13:00:00.000000Z")),
        ({"expires": NOW}, "", ("expires", "2030-01-01T12:00:00.000000Z")),
        ({"result_ttl": 3600}, "", ("result-ttl", "3600")),
        ({"result_ttl": timedelta(days=1)}, "", ("result-ttl", "86400")),
        ({"result_ttl": "keep"}, "", ("result-ttl", "keep")),
        ({"time_limit": 1.5}, "", ("time-limit", "1.5")),
        ({"time_limit": timedelta(minutes=1)}, "", ("time-limit", "60")),
        ({"memory_limit": 4096}, "", ("memory-limit", "4096")),
        ({"memory_limit": "200MB"}, "", ("memory-limit", "200000000")),
        ({"retries": 0}, "", ("retries", "0")),
        (
            {"retries": 3, "retry_delay": 0, "retry_backoff": 1.5},
            "",
            ("retries", "3", "retry-delay", "0", "retry-backoff", "1.5"),
        ),
        ({"front": True}, "front", ()),
        ({"front": False, "delay": 3}, "3", ()),
        ({"username": "ann", "traceparent": "00-1-2-01"}, "", ("username", "ann", "traceparent", "00-1-2-01")),
    ],
)
def test_each_option_writes_what_the_protocol_says(given, delay, fields):
    assert Options(given).timing(NOW) == (delay, fields)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"delay": -1}, "'delay': a duration of -1 s"),
        ({"delay": "soon"}, "'delay'"),
        ({"delay": float("nan")}, "'delay'"),
        ({"delay": 1, "at": NOW}, "'delay' and 'at'"),
        ({"front": True, "delay": 1}, "'delay' and 'front'"),
        ({"front": True, "at": NOW}, "'at' and 'front'"),
        ({"front": 1}, "'front': 1 is neither True nor False"),
        ({"time_limit": 0}, "'time_limit': a limit of 0 s"),
        ({"time_limit": "long"}, "'time_limit': 'long' is no duration: give a number of seconds, or a timedelta"),
        ({"time_limit": 1e12}, "'time_limit': a duration of 1e.12 s: give seconds from 0 to below 10,000,000,000"),
        ({"memory_limit": 0}, "'memory_limit': a limit of 0 bytes"),
        ({"memory_limit": "200 apples"}, "'memory_limit': '200 apples' is no size"),
        ({"retries": -1}, "'retries': -1 is no whole number"),
        ({"retries": True}, "'retries': True"),
        ({"retry_delay": -1}, "'retry_delay'"),
        ({"retry_backoff": 0.5}, "'retry_backoff': 0.5 is no factor"),
        ({"at": datetime(2030, 1, 1)}, "'at': .* is no moment: give an aware datetime"),
        ({"at": 5}, "'at': 5 is no moment"),
        ({"expires": datetime(2030, 1, 1)}, "'expires': .* has no time zone"),
        ({"expires": -5}, "'expires'"),
        ({"expires": timedelta(days=999999999)}, "'expires'"),
        ({"result_ttl": "forever"}, "'result_ttl'"),
        ({"result_ttl": -1}, "'result_ttl'"),
        ({"username": 5}, "'username': expected text, got int"),
        ({"traceparent": None}, "'traceparent': expected text"),
        ({"queue": "task"}, "queue name 'task'"),
        ({"queue": "a:b"}, "queue name 'a:b'"),
        ({"id": ""}, "task id"),
        ({"id": "x" * 256}, "task id"),
        ({"id": "\ud800"}, "task id"),
        ({"colour": "red"}, "'colour': there is no such option; options are queue, id, delay"),
    ],
)
def test_a_bad_option_is_refused_by_name_when_it_is_written_down(given, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        Doshit().task(lambda_task).options(**given)


def lambda_task() -> None: ...


def test_later_options_win_and_a_moment_takes_the_place_of_a_delay():
    app = Doshit()
    task = app.task(name="add", queue="math", result_ttl=60)(lambda_task)
    job = task.options(queue="x", delay=10).options(delay=20).job()
    assert (job.queue, job.delay, job.fields) == ("x", "20", ("result-ttl", "60"))
    assert task.options(delay=10).options(at=NOW - timedelta(days=36500)).job().delay == ""
    assert task.options(delay=10).options(front=True).job().delay == "front"
    assert task.options(front=True).options(delay=10).job().delay == "10"
    assert task.options(front=True).options(front=False).job().delay == ""
    assert task.job().queue == "math"


def test_a_task_without_queue_goes_to_the_queue_of_its_app():
    app = Doshit(queue="mails")
    assert app.task(lambda_task).job().queue == "mails"
    assert app.job("elsewhere").queue == "mails"


def test_a_moment_is_worked_out_at_each_enqueue_not_when_it_is_written_down():
    options = Options({"at": NOW + timedelta(seconds=90)})
    assert options.timing(NOW)[0] == "90"
    assert options.timing(NOW + timedelta(seconds=60))[0] == "30"
