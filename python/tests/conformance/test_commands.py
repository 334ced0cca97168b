"""Runs the command vectors: a keyspace and a call give a reply, a whole keyspace and the messages sent."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from conformance.actors import Listener
from conformance.vectors import (
    Case,
    Client,
    assert_world,
    cases,
    raw,
    seed,
    to_bytes,
    to_raw,
)
from doshit import commands
from doshit.values.keys import Keys

CASES = cases("commands")


@pytest.fixture
def client(each_redis_url: str) -> Iterator[Client]:
    with redis.Redis.from_url(each_redis_url, protocol=2) as client:
        yield client
        client.config_set("maxmemory", 0)


def to_call(step: Case, case: Case) -> "commands.Call[Any]":
    """The Call that this package makes of a step."""
    transition = step["call"]["transition"]
    named = {**case.get("defaults", {}).get(transition, {}), **step["call"]["with"]}
    for field in ("tasks", "ends", "notes", "ids"):
        if field in named:
            named[field] = _arguments(named[field])
    call: commands.Call[Any] = getattr(commands, transition)(Keys("doshit"), now=step.get("now"), **named)
    return call


def _arguments(item: list[Any]) -> list[Any]:
    """Texts as bytes; flat fields stay a list, numbers and booleans stay themselves."""
    return [
        _arguments(part) if isinstance(part, list) else to_bytes(part) if isinstance(part, str) else part
        for part in item
    ]


def perform(client: Client, step: Case, case: Case) -> Any:
    if "redis" in step:
        command, *arguments = [to_bytes(word) for word in step["redis"]]
        return raw(client, command, *arguments)
    call = to_call(step, case)
    reply = raw(client, *call.eval())
    read = call.parse(reply)
    for task in read.tasks if isinstance(read, commands.ClaimReply) else ():
        assert raw(client, "HMGET", b"doshit:task:" + task.id, "claim", "queue") == [task.claim, task.queue]
    return reply


def check(client: Client, listener: Listener, step: Case, case: Case) -> None:
    if "error" in step:
        with pytest.raises(redis.ResponseError) as refused:
            perform(client, step, case)
        assert step["error"] in str(refused.value)
    else:
        reply = perform(client, step, case)
        assert "reply" not in step or reply == to_raw(step["reply"])
    published = listener.heard()
    assert "published" not in step or published == to_raw(step["published"])
    if "keyspace" in step:
        assert_world(client, {**world(case), **step["keyspace"]})


def world(case: Case) -> Case:
    return case["worlds"][case["world"]] if "world" in case else {}


@pytest.mark.parametrize("name", CASES, ids=str)
def test_command(name: str, client: Client) -> None:
    case = CASES[name]
    given = {**world(case), **case.get("given", {})}
    seed(client, {key: entry for key, entry in given.items() if entry is not None})
    listener = Listener(client)
    for setting, value in case.get("config", {}).items():
        client.config_set(setting, value)
    for step in case["steps"]:
        check(client, listener, step, case)
