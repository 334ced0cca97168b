"""Cancel from a client: one task, a queue, a function. What a worker does with it is a matter of tests/worker."""

from datetime import UTC, datetime, timedelta

import pytest

from doshit import ConfigurationError, ServerError, TaskFailed
from doshit.values.times import format_timestamp, parse_timestamp


def test_a_task_that_waits_is_cancelled_and_its_waiter_is_told(app, foreign, aside):
    handle = app.enqueue("add", {"a": 1})
    waiting = aside(lambda: handle.result(90))
    foreign.until_listened_to()
    assert handle.cancel() == "cancelled"
    with pytest.raises(TaskFailed) as failure:
        waiting.join()
    assert (failure.value.code, failure.value.reason) == ("cancelled", "cancelled before it ran")


def test_a_delayed_task_is_cancelled_and_kept_as_a_result_is(app, plain, prefix):
    handle = app.enqueue("add", delay=3600)
    assert handle.cancel() == "cancelled"
    assert handle.cancel() == "cancelled"
    assert handle.info().error_code == "cancelled"
    assert plain.zcard(f"{prefix}:default:scheduled") == 0
    assert 0 < plain.ttl(f"{prefix}:task:{handle.id}") <= 86400


def test_a_task_that_runs_has_its_worker_asked(app, plain, prefix):
    handle = app.enqueue("add", id="one")
    plain.hset(f"{prefix}:task:one", mapping={"state": "executing", "worker": "w1", "claim": "w1/1.1"})
    assert handle.cancel() == "asked"
    assert plain.smembers(f"{prefix}:stop:w1") == {b"w1/1.1"}
    assert handle.state() == "executing"


def test_what_is_over_or_unknown_stays_as_it_is(app, foreign, plain, prefix):
    handle = app.enqueue("add")
    foreign.succeed(handle.id, 3)
    assert handle.cancel() == "finished"
    assert handle.result(0) == 3
    assert app.handle("never").cancel() == "unknown"
    assert not plain.exists(f"{prefix}:task:never")


def test_who_may_not_run_scripts_asks_the_workers_with_one_plain_command(limited, plain, prefix):
    app = limited("+lpush", "+hset")
    assert app.handle("one").cancel() == "asked"
    assert plain.lrange(f"{prefix}:cancel", 0, -1) == [b"one"]


def test_who_may_do_neither_is_told_so(limited):
    with pytest.raises(ServerError, match="lpush"):
        limited("+get").handle("one").cancel()


def test_a_queue_or_a_function_is_cut_off_at_a_moment_of_the_redis_clock(app, plain, prefix):
    before = datetime.fromtimestamp(plain.time()[0], UTC)
    queue, function = app.cancel_queue("mail"), app.cancel_function("send letter")
    assert before <= queue <= function <= before + timedelta(minutes=5)
    assert plain.hgetall(f"{prefix}:cutoffs") == {
        b"queue:mail": format_timestamp(queue).encode(),
        b"function:send letter": format_timestamp(function).encode(),
    }
    assert 29 * 86400 < plain.ttl(f"{prefix}:cutoffs") <= 30 * 86400


def test_what_was_submitted_before_lies_before_the_cut_off_and_what_comes_later_behind_it(app, foreign):
    earlier = app.enqueue("add")
    moment = app.cancel_queue("default")
    later = app.enqueue("add")
    submitted = [parse_timestamp(foreign.hash(each.id)["pending-created"]) for each in (earlier, later)]
    assert submitted[0] <= moment < submitted[1]


def test_a_name_that_can_be_no_queue_is_refused(app):
    with pytest.raises(ConfigurationError, match="queue name"):
        app.cancel_queue("a:b")
