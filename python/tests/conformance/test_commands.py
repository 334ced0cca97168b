"""Runs the command vectors: a keyspace and a call give a reply, a whole keyspace and the messages sent."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from conformance.vectors import Case, Client, assert_world, cases, read, seed, to_bytes, to_raw

from doshit import commands
from doshit.values.keys import Keys

CASES = cases("commands")
END_OF_STEP = "doshit:end-of-step"


class Listener:
    """Hears every message under the prefix; a message of its own marks the end of a step, so nothing waits for time."""

    def __init__(self, client: Client) -> None:
        self.client, self.pubsub = client, client.pubsub()
        self.pubsub.psubscribe("doshit:*")
        assert self._next()["type"] == "psubscribe"

    def _next(self) -> dict[str, Any]:
        message = self.pubsub.get_message(timeout=20)
        assert message, "the server sent no message within 20 s"
        return message

    def heard(self) -> list[list[bytes]]:
        self.client.publish(END_OF_STEP, "")
        messages = []
        while (message := self._next())["channel"] != END_OF_STEP.encode():
            messages.append([message["channel"], message["data"]])
        return messages


@pytest.fixture
def client(each_redis_url: str) -> Iterator[Client]:
    with redis.Redis.from_url(each_redis_url, protocol=2) as client:
        yield client
        client.config_set("maxmemory", 0)


def to_call(step: Case, case: Case) -> "commands.Call[Any]":
    """The Call that this package makes of a step."""
    transition = step["call"]["transition"]
    named = {**case.get("defaults", {}).get(transition, {}), **step["call"]["with"]}
    for field in ("tasks", "ends", "moved"):
        if field in named:
            named[field] = [_arguments(item) for item in named[field]]
    return getattr(commands, transition)(Keys("doshit"), now=step.get("now"), **named)


def _arguments(item: list[Any]) -> list[Any]:
    """Texts as bytes; flat fields stay a list, numbers and booleans stay themselves."""
    return [_arguments(part) if isinstance(part, list) else to_bytes(part) if isinstance(part, str) else part for part in item]


def perform(client: Client, step: Case, case: Case) -> Any:
    if "redis" in step:
        command, *arguments = [to_bytes(word) for word in step["redis"]]
        return raw(client, command, *arguments)
    call = to_call(step, case)
    reply = raw(client, *call.eval())
    call.parse(reply)
    return reply


def raw(client: Client, *words: Any) -> Any:
    """The reply as the server sent it: redis-py would make dicts, sets and booleans of some."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*words)
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


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


@pytest.mark.parametrize("name", CASES)
def test_command(name: str, client: Client) -> None:
    case = CASES[name]
    given = {**world(case), **case.get("given", {})}
    seed(client, {key: entry for key, entry in given.items() if entry is not None})
    listener = Listener(client)
    for setting, value in case.get("config", {}).items():
        client.config_set(setting, value)
    for step in case["steps"]:
        check(client, listener, step, case)


def test_every_row_of_the_edges_and_every_printed_command_is_covered() -> None:
    covered = {case["covers"] for folder in ("commands", "stories") for case in cases(folder).values() if "covers" in case}
    covered |= {group["covers"] for path in ("values/json.json",) for group in read(path)["groups"] if "covers" in group}
    assert sorted(read("rows.json")["rows"]) == sorted(covered)
