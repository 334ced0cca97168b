"""The check of a call by name, by what live workers tell of its function."""

import json
import time

import pytest

from doshit import BadArguments, Doshit
from doshit.client import catalog

ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}


@pytest.fixture
def serve(plain, prefix):
    def serve(parameters, *, name="add", worker="w1", lease=60):
        """A live worker that tells of one function."""
        plain.hset(f"{prefix}:catalog:{worker}", name, json.dumps({"parameters": parameters}))
        plain.hset(f"{prefix}:worker:{worker}", "catalog", worker)
        plain.zadd(f"{prefix}:workers", {worker: int((time.time() + lease) * 1000)})

    return serve


def test_a_call_that_its_live_worker_would_refuse_is_not_pushed(app, serve, plain, prefix):
    serve(ADD)
    for args, parameter in (({"a": "x"}, "a"), ({}, "a"), ({"a": 1, "c": 1}, "c")):
        with pytest.raises(BadArguments) as refused:
            app.enqueue("add", args)
        assert (refused.value.function, refused.value.parameter) == ("add", parameter)
    assert not plain.exists(f"{prefix}:default:pending")
    app.enqueue("add", {"a": 1})
    assert plain.llen(f"{prefix}:default:pending") == 1


def test_of_many_calls_none_is_pushed_when_one_would_be_refused(app, serve, plain, prefix):
    serve(ADD)
    with pytest.raises(BadArguments, match=r"args\.b: expected integer, got string"):
        app.enqueue_many([app.job("add", {"a": 1}), app.job("add", {"a": 1, "b": "x"})])
    assert not plain.exists(f"{prefix}:default:pending")


async def _refused(app):
    with pytest.raises(BadArguments):
        await app.aenqueue("add", {"a": "x"})
    with pytest.raises(BadArguments):
        await app.aenqueue_many([app.job("add", {"a": "x"})])
    await app.aenqueue("add", {"a": 1})
    await app.aclose()


def test_an_event_loop_checks_too(app, serve):
    import asyncio

    serve(ADD)
    asyncio.run(_refused(app))


def test_what_any_live_worker_takes_is_pushed(app, serve):
    serve(ADD)
    serve(NAMED, worker="w2")
    app.enqueue("add", {"a": 1})
    app.enqueue("add", {"name": "x"})
    with pytest.raises(BadArguments):
        app.enqueue("add", {"name": 1})


def test_a_function_of_which_nobody_tells_takes_any_call(app, serve):
    app.enqueue("add", {"a": "x"})
    serve(ADD, name="other")
    app.enqueue("nobody", {"a": "x"})


def test_a_sealed_worker_does_not_count(app, serve, plain, prefix):
    serve(ADD)
    plain.zadd(f"{prefix}:workers", {"w1": -1})
    app.enqueue("add", {"a": "x"})


def test_a_catalog_that_cannot_be_read_lets_every_call_pass(app, serve, plain, prefix):
    serve(ADD)
    plain.hset(f"{prefix}:catalog:w1", "broken", "{")
    app.enqueue("broken", {"a": "x"})
    plain.delete(f"{prefix}:catalog:w1")
    plain.set(f"{prefix}:catalog:w1", "no hash")
    app.enqueue("add", {"a": "x"})


def test_who_may_not_read_the_catalog_is_not_checked(serve, limited):
    serve(ADD)
    app = limited("+@all", "-zrangebyscore", "allchannels")
    app.enqueue("add", {"a": "x"})


def test_an_app_can_be_told_not_to_check(redis_url, prefix, serve):
    serve(ADD)
    with Doshit(redis_url, prefix=prefix, check=False) as app:
        app.enqueue("add", {"a": "x"})


def test_a_function_is_looked_up_once_in_a_while_and_then_anew(app, serve, plain, monkeypatch):
    serve(ADD)
    app.enqueue("add", {"a": 1})
    before = plain.info("commandstats")["cmdstat_zrangebyscore"]["calls"]
    for at in range(50):
        app.enqueue("add", {"a": at})
    assert plain.info("commandstats")["cmdstat_zrangebyscore"]["calls"] == before
    serve(NAMED)
    monkeypatch.setattr(catalog, "FRESH", -1.0)
    with pytest.raises(BadArguments):
        app.enqueue("add", {"a": 1})


def test_a_task_of_this_program_is_judged_by_its_own_signature(app, serve):
    @app.task
    def add(a: str) -> str:
        return a

    serve(ADD)
    add.enqueue("x")
    app.enqueue("add", {"a": "x"})
