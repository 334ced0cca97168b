"""Runs the stories: ordered steps of plain data against live workers. Waits for conditions, never for time."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from conformance.actors import Listener, Worker, stage
from conformance.vectors import Case, Client, cases, raw, to_args, to_raw

CASES = cases("stories")
PATIENCE = 20.0  # seconds until a condition must hold, where a step names no other
LOOK = 0.02


class Story:
    """One story while it is told: its server, its workers and what was heard."""

    def __init__(self, url: str, client: Client, workers: dict[str, Worker]) -> None:
        self._url, self._client, self._workers = url, client, workers
        self._listener = Listener(client)
        self._heard: list[list[bytes]] = []

    def tell(self, step: Case) -> None:
        match step:
            case {"start": name}:
                self._workers[name] = Worker(self._url, step)
            case {"stop": name}:
                self._workers[name].stop()
            case {"kill": name}:
                self._workers[name].kill()
            case {"until": condition}:
                self._wait(condition, step.get("within", PATIENCE))
            case {"heard": message, "times": times}:
                assert self._messages().count(to_raw(message)) == times
            case {"heard_in_order": [channel, payloads]}:
                wanted = [to_raw([channel, payload]) for payload in payloads]
                assert [message for message in self._messages() if message in wanted] == wanted
            case _:
                fault = self._fault(step)
                assert not fault, f"{step}: {fault}"

    def _messages(self) -> list[list[bytes]]:
        self._heard += self._listener.heard()
        return self._heard

    def _wait(self, condition: Case, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while fault := self._fault(condition):
            assert time.monotonic() < deadline, f"{condition} does not hold after {seconds:g} s: {fault}"
            time.sleep(LOOK)

    def _fault(self, wanted: Case) -> str:
        """What is wrong about a condition, or nothing."""
        if "heard" in wanted:
            return "" if to_raw(wanted["heard"]) in self._messages() else f"heard {self._heard}"
        reply = raw(self._client, *[to_args(word) for word in wanted["redis"]])
        return "" if fits(reply, wanted) else f"the reply is {reply!r}"


def fits(reply: Any, wanted: Case) -> bool:
    if "reply" in wanted:
        return bool(reply == to_raw(wanted["reply"]))
    text = reply.decode() if isinstance(reply, bytes) else str(reply)
    return bool(re.search(wanted.get("pattern", ""), text)) and wanted.get("holds", "") in text


@pytest.fixture
def client(each_redis_url: str) -> Iterator[Client]:
    with redis.Redis.from_url(each_redis_url, protocol=2) as client:
        yield client
        client.config_set("maxmemory", 0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CASES, ids=str)
def test_story(name: str, each_redis_url: str, client: Client) -> None:
    with stage() as workers:
        story = Story(each_redis_url, client, workers)
        for step in CASES[name]["steps"]:
            story.tell(step)
