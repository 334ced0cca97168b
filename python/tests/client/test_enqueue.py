"""Enqueuing on a real server: what stands in Redis afterwards, own ids, many at once, conflicts."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from doshit import BadArguments, BadTask, ConfigurationError, Doshit, IdConflict, ServerError


@pytest.fixture
def add(app):
    @app.task
    def add(a: int, b: int = 2) -> int:
        return a + b

    return add


def test_an_enqueued_call_is_a_pending_task_as_the_protocol_has_it(add, plain, prefix, foreign):
    handle = add.enqueue(1, b=3)
    task = foreign.hash(handle.id)
    created = task.pop("pending-created")
    assert task == {"function": "add", "state": "pending", "args": '{"a":1,"b":3}', "queue": "default"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created)
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [handle.id.encode()]


def test_ids_are_made_sortable_by_time_and_never_twice(add):
    ids = [add.enqueue(at).id for at in range(50)]
    assert len(set(ids)) == 50
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id) for id in ids)
    assert [id[:13] for id in ids] == sorted(id[:13] for id in ids)


def test_a_refused_call_pushes_nothing(add, plain):
    with pytest.raises(BadArguments):
        add.enqueue("one")
    with pytest.raises(BadArguments):
        add.enqueue_many([(1,), ("two",), (3,)])
    assert plain.keys() == []


def test_options_reach_the_hash_and_the_schedule(add, foreign, plain, prefix):
    handle = add.options(queue="mails", delay=100, username="ann", result_ttl="keep", expires=500).enqueue(1)
    task = foreign.hash(handle.id)
    assert (task["queue"], task["username"], task["result-ttl"]) == ("mails", "ann", "keep")
    assert task["expires"] > task["pending-created"]
    assert plain.exists(f"{prefix}:mails:pending") == 0
    due = plain.zscore(f"{prefix}:mails:scheduled", handle.id) / 1000
    assert 95 < due - datetime.now(UTC).timestamp() < 105


def test_a_function_can_be_enqueued_by_name_without_its_code(app, foreign):
    handle = app.enqueue("elsewhere", {"when": date(2030, 1, 2), "deep": [{"x": None}]}, queue="other", id="order-7")
    task = foreign.hash("order-7")
    assert handle.id == "order-7"
    assert (task["function"], task["queue"]) == ("elsewhere", "other")
    assert task["args"] == '{"when":"2030-01-02","deep":[{"x":null}]}'


def test_by_name_the_defaults_of_a_task_that_is_known_here_hold(app, foreign):
    @app.task(queue="math", result_ttl=5)
    def double(a: int): ...

    task = foreign.hash(app.enqueue("double", {"a": 1}).id)
    assert (task["queue"], task["result-ttl"]) == ("math", "5")


def test_the_same_id_twice_is_one_task_and_both_handles_are_its(add, plain, prefix):
    one = add.options(id="order-7").enqueue(1)
    two = add.options(id="order-7").enqueue(1)
    assert one == two
    assert plain.llen(f"{prefix}:default:pending") == 1


def test_the_same_id_for_other_arguments_is_a_conflict_and_changes_nothing(add, foreign):
    add.options(id="order-7").enqueue(1)
    before = foreign.hash("order-7")
    with pytest.raises(IdConflict, match="task id 'order-7' is taken") as refused:
        add.options(id="order-7").enqueue(2)
    assert refused.value.id == "order-7"
    assert foreign.hash("order-7") == before


def test_an_id_whose_key_is_no_hash_names_the_key(add, plain, prefix):
    plain.rpush(f"{prefix}:task:order-7", "x")
    with pytest.raises(ServerError, match=f"wrong-type: key {prefix}:task:order-7 is no hash"):
        add.options(id="order-7").enqueue(1)


def test_an_id_may_be_bytes_that_are_no_text(app, plain, prefix):
    id = b"\xff\xfe".decode("utf-8", "surrogateescape")
    handle = app.enqueue("elsewhere", id=id)
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [b"\xff\xfe"]
    assert handle.state() == "pending"


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 9001])
def test_many_are_submitted_each_once_and_in_order(add, plain, prefix, foreign, count):
    handles = add.enqueue_many((at,) for at in range(count))
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [handle.id.encode() for handle in reversed(handles)]
    assert len(handles) == count
    if handles:
        assert foreign.hash(handles[-1].id)["args"] == f'{{"a":{count - 1}}}'


def test_many_calls_may_be_tuples_and_dicts_and_nothing_else(add, foreign):
    handles = add.enqueue_many([(1, 3), {"a": 4}])
    assert [foreign.hash(handle.id)["args"] for handle in handles] == ['{"a":1,"b":3}', '{"a":4}']
    with pytest.raises(BadArguments, match="expected a tuple or a dict for each call, got int"):
        add.enqueue_many([5])
    with pytest.raises(ConfigurationError, match="'id': many tasks cannot share one"):
        add.options(id="order-7").enqueue_many([(1,)])


def test_many_of_different_functions_and_queues_come_back_in_their_order(app, add, foreign):
    jobs = [add.job(1), app.job("elsewhere", {"x": 1}, queue="other"), add.options(queue="mails").job(2), add.job(3)]
    handles = app.enqueue_many(jobs)
    assert [handle.id for handle in handles] == [job.id for job in jobs]
    assert [foreign.hash(handle.id)["queue"] for handle in handles] == ["default", "other", "mails", "default"]


@pytest.mark.parametrize("settings", [{"url": 5}, {"prefix": 5}, {"queue": 5}])
def test_settings_of_another_kind_are_refused(settings):
    with pytest.raises(ConfigurationError, match="5"):
        Doshit(**settings)


@pytest.mark.parametrize("name", [5, "", [], print])
def test_what_is_no_name_of_a_function_is_refused(app, name):
    with pytest.raises(BadArguments, match="give the name of a function"):
        app.enqueue(name, {"a": 1})
    with pytest.raises(ConfigurationError, match="the name by which workers know it"):
        app.cancel_function(name)
    with pytest.raises(ConfigurationError, match="the name by which workers know it"):
        app.retry_failed(function=name)


def test_a_task_in_place_of_its_name_is_told_what_to_call(app, add):
    with pytest.raises(BadArguments, match="call the enqueue of the task itself"):
        app.enqueue(add, {"a": 1})
    with pytest.raises(BadTask, match=r"name 5 of .*: expected text"):
        app.task(name=5)(add.function)


def test_what_is_no_id_is_refused(app):
    for id in (5, None, b"raw"):
        with pytest.raises(ConfigurationError, match="expected text"):
            app.handle(id)


def test_what_is_no_job_names_its_place_and_nothing_is_submitted(app, add, plain, prefix):
    with pytest.raises(BadArguments, match=r"place 1: \(2,\) is no job"):
        app.enqueue_many([add.job(1), (2,)])
    with pytest.raises(BadArguments, match="is no list of jobs"):
        app.enqueue_many(5)
    assert not plain.exists(f"{prefix}:default:pending")


def test_large_arguments_are_spread_over_more_calls(app, plain, prefix):
    app.enqueue_many(app.job("elsewhere", {"text": "x" * 900_000}) for _ in range(5))
    assert plain.llen(f"{prefix}:default:pending") == 5
    assert int(plain.info("commandstats")["cmdstat_evalsha"]["calls"]) >= 3


def test_a_conflict_in_the_middle_of_many_loses_no_other(app, add, plain, prefix):
    add.options(id="taken").enqueue(1)
    jobs = [add.job(5), add.options(id="taken").job(2), add.job(6)]
    with pytest.raises(IdConflict) as refused:
        app.enqueue_many(jobs)
    assert refused.value.id == "taken"
    first, none, last = refused.value.handles
    assert (first.id, none, last.id) == (jobs[0].id, None, jobs[2].id)
    assert plain.llen(f"{prefix}:default:pending") == 3


def test_a_pending_task_of_two_small_arguments_takes_at_most_350_bytes(app, plain):
    @app.task
    def add(a: int, b: int): ...

    add.enqueue_many([(1, 2)])
    before = plain.info("memory")["used_memory"]
    add.enqueue_many((at, at) for at in range(20_000))
    assert (plain.info("memory")["used_memory"] - before) / 20_000 <= 350


def test_scripts_that_the_server_has_forgotten_are_sent_again(add, plain, prefix):
    add.enqueue(1)
    plain.script_flush("SYNC")
    add.enqueue(2)
    plain.script_flush("SYNC")
    add.enqueue_many((at,) for at in range(1200))
    assert plain.llen(f"{prefix}:default:pending") == 1202


def test_a_lost_reply_submits_the_task_once(redis_url, start_proxy, plain, prefix):
    proxy = start_proxy(redis_url, drop_every=3)
    with Doshit(proxy.url, prefix=prefix) as app:
        ids = {app.enqueue("add", {"a": at}).id for at in range(30)}
    assert proxy.dropped >= 10
    assert {id.decode() for id in plain.lrange(f"{prefix}:default:pending", 0, -1)} == ids
    assert plain.llen(f"{prefix}:default:pending") == 30


def test_a_full_server_refuses_in_one_clear_line(start_server, prefix):
    import redis

    server = start_server()
    with redis.Redis.from_url(server.url) as plain, Doshit(server.url, prefix=prefix) as app:
        plain.config_set("maxmemory", 1)
        with pytest.raises(ServerError, match="maxmemory; free memory or raise it, then submit again"):
            app.enqueue("add", {"a": 1})
        plain.config_set("maxmemory", 0)
        assert plain.dbsize() == 0


def test_the_state_and_the_hash_of_a_task_can_be_read(add, foreign):
    handle = add.options(username="ann").enqueue(1)
    assert handle.state() == "pending"
    info = handle.info()
    assert (info.id, info.function, info.state, info.queue, info.args) == (
        handle.id,
        "add",
        "pending",
        "default",
        {"a": 1},
    )
    assert info.created is not None and abs(info.created - datetime.now(UTC)) < timedelta(minutes=1)
    assert (info.started, info.finished, info.result, info.result_value) == (None, None, None, None)
    assert info.fields["username"] == "ann"
    foreign.write(handle.id, result="failed", error_code="exception", error_reason="no", attempts="x")
    info = handle.info()
    assert (info.state, info.result, info.error_code, info.error_reason) == ("finished", "failed", "exception", "no")
    assert info.attempts == 0


def test_a_hash_without_state_is_pending(app, plain, prefix):
    plain.hset(f"{prefix}:task:by-hand", "function", "add")
    assert app.handle("by-hand").state() == "pending"
    assert app.handle("by-hand").info().state == "pending"


def test_a_closed_app_connects_anew(app):
    first = app.enqueue("add")
    app.close()
    app.close()
    assert first.state() == "pending"
