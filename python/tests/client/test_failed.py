"""The failed tasks of an app: looked through, run again, forgotten; one or all that are like so."""

import json

import pytest

from doshit import ConfigurationError, TaskFailed, TaskVanished


@pytest.fixture
def fail(plain, prefix):
    """Writes a failed task as a worker leaves it."""

    def fail(id, at, queue="default", function="add", code="exception", **fields):
        failed = {"state": "finished", "result": "failed", "error-code": code, "error-reason": "no", "queue": queue}
        plain.hset(f"{prefix}:task:{id}", mapping={"function": function, "args": '{"a":1}', **failed, **fields})
        plain.zadd(f"{prefix}:{queue}:failed", {id: at})
        plain.sadd(f"{prefix}:queues", queue)

    return fail


@pytest.fixture
def some(fail):
    fail("old", 1)
    fail("mail", 2, queue="mails", function="send", code="time-limit")
    fail("new", 3, function="send")
    fail("poison", 4, queue="mails", code="worker-lost")


def ids(tasks):
    return [task.id for task in tasks]


def test_all_queues_are_listed_the_newest_first(app, some):
    assert ids(app.failed()) == ["poison", "new", "mail", "old"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"queue": "mails"}, ["poison", "mail"]),
        ({"function": "send"}, ["new", "mail"]),
        ({"code": "exception"}, ["new", "old"]),
        ({"queue": "mails", "function": "send", "code": "time-limit"}, ["mail"]),
        ({"queue": "mails", "code": "exited"}, []),
        ({"limit": 2}, ["poison", "new"]),
        ({"function": "send", "limit": 1}, ["new"]),
        ({"limit": None}, ["poison", "new", "mail", "old"]),
        ({"limit": 0}, []),
    ],
)
def test_a_list_is_narrowed_by_queue_function_and_code(app, some, wanted, found):
    assert ids(app.failed(**wanted)) == found


def test_a_list_longer_than_a_round_trip_is_whole_and_in_order(app, fail):
    for at in range(130):
        fail(f"t{at}", at)
    assert ids(app.failed(limit=None)) == [f"t{at}" for at in range(129, -1, -1)]
    assert len(ids(app.failed())) == 100


def test_what_faded_runs_again_or_is_no_hash_spoils_no_list(app, some, plain, prefix):
    plain.zadd(f"{prefix}:default:failed", {"faded": 5, "text": 6, "again": 7, b"\xff": 8})
    plain.set(f"{prefix}:task:text", "of another program")
    plain.hset(f"{prefix}:task:again", mapping={"state": "pending", "function": "add"})
    assert ids(app.failed()) == ["poison", "new", "mail", "old"]


def test_a_failed_task_says_what_its_runs_left(app, fail):
    earlier = {"attempt": 1, "at": "2030-01-01T12:00:00.000000Z", "code": "exited", "reason": "signal 9"}
    fail("one", 1, retried="2", failures=json.dumps([earlier, "spoilt"]), **{"cpu-time": "1.25", "memory-peak": "4096"})
    (task,) = app.failed()
    assert (task.retried, task.cpu_time, task.memory_peak) == (2, 1.25, 4096)
    (failure,) = task.failures
    assert (failure.attempt, failure.code, failure.reason, failure.at.year) == (1, "exited", "signal 9", 2030)


def test_a_filter_that_can_mean_nothing_is_refused(app):
    with pytest.raises(ConfigurationError, match="error code 'timelimit': there is no such code; codes are exception"):
        list(app.failed(code="timelimit"))
    with pytest.raises(ConfigurationError, match="queue name"):
        app.drop_failed(queue="a:b")


def test_one_task_is_run_again_as_if_it_were_new(app, fail, foreign):
    fail("one", 1, attempts="3", progress='{"fraction":1}')
    handle = app.handle("one")
    assert handle.retry() is True
    assert handle.retry() is False
    task = foreign.hash("one")
    assert task.pop("pending-created")
    assert task == {"function": "add", "args": '{"a":1}', "state": "pending", "queue": "default"}


def test_a_handle_waits_for_the_new_end_after_a_retry(app, foreign, plain, prefix):
    handle = app.enqueue("add")
    foreign.fail(handle.id, error_code="exception", error_reason="no")
    with pytest.raises(TaskFailed):
        handle.result(90)
    assert handle.retry()
    assert handle.state() == "pending"
    foreign.succeed(handle.id, 3)
    assert handle.result(90) == 3


def test_who_retries_what_is_not_there_is_told(app, foreign):
    with pytest.raises(TaskVanished):
        app.handle("never").retry()
    handle = app.enqueue("add")
    assert handle.retry() is False
    foreign.succeed(handle.id)
    assert handle.retry() is False


def test_all_that_are_like_so_run_again_the_oldest_first(app, some, plain, prefix):
    assert app.retry_failed(code="exception") == 2
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [b"new", b"old"]
    assert ids(app.failed()) == ["poison", "mail"]
    assert app.retry_failed(code="exception") == 0
    assert app.retry_failed() == 2


def test_what_is_dropped_leaves_nothing(app, some, plain, prefix):
    plain.xadd(f"{prefix}:log:mail", {"s": "stdout", "t": "", "m": "x"})
    assert app.drop_failed(function="send") == 2
    assert ids(app.failed()) == ["poison", "old"]
    assert not plain.exists(f"{prefix}:task:mail", f"{prefix}:task:new", f"{prefix}:log:mail")


def test_entries_whose_tasks_have_faded_are_dropped_too(app, some, plain, prefix):
    plain.zadd(f"{prefix}:default:failed", {"faded": 5})
    assert app.drop_failed(queue="default") == 2
    assert plain.zcard(f"{prefix}:default:failed") == 0


def test_more_than_one_call_carries_are_run_again(app, fail, plain, prefix):
    for at in range(250):
        fail(f"t{at}", at)
    assert app.retry_failed() == 250
    assert plain.lindex(f"{prefix}:default:pending", -1) == b"t0"
