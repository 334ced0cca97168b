"""What the tests of the client share: an app, and a worker of another make that knows the plain commands only."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from doshit import Doshit
from doshit.client import ending


@pytest.fixture(autouse=True)
def _no_look_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the look every two seconds, behind which a message that goes astray would not be noticed."""
    monkeypatch.setattr(ending, "REREAD", 1e6)


@pytest.fixture
def app(redis_url: str, prefix: str) -> Iterator[Doshit]:
    with Doshit(redis_url, prefix=prefix) as app:
        yield app


class ForeignWorker:
    """Ends tasks as any program may: with HSET and PUBLISH."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._redis, self._prefix = client, prefix

    def hash(self, id: str) -> dict[str, str]:
        return {
            name.decode(): value.decode() for name, value in self._redis.hgetall(f"{self._prefix}:task:{id}").items()
        }

    def write(self, id: str, **fields: str) -> None:
        """Writes an end and tells nobody."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self._redis.hset(f"{self._prefix}:task:{id}", mapping={"state": "finished", **named})

    def tell(self, id: str) -> None:
        key = f"{self._prefix}:task:{id}"
        self._redis.publish(f"{self._prefix}:results", key)
        if reply_to := self._redis.hget(key, "reply-to"):
            self._redis.publish(reply_to, key)

    def succeed(self, id: str, value: Any = None) -> None:
        self.write(id, result="successful", result_value=json.dumps(value))
        self.tell(id)

    def fail(self, id: str, **error: str) -> None:
        self.write(id, result="failed", **error)
        self.tell(id)

    def until_listened_to(self, channel: str = "*") -> None:
        """Returns when somebody listens on a channel of this app: the signal that a waiter waits."""
        while not self._redis.pubsub_channels(f"{self._prefix}:{channel}"):
            pass

    def serve(self, queue: str, answer: Callable[[dict[str, str]], Any]) -> None:
        """Answers the tasks of a queue until it gets one whose function is `stop`."""
        while True:
            got = self._redis.brpop([f"{self._prefix}:{queue}:pending"])
            id = got[1].decode()
            task = self.hash(id)
            self.succeed(id, answer(task))
            if task["function"] == "stop":
                return


@pytest.fixture
def foreign(plain: Any, prefix: str) -> ForeignWorker:
    return ForeignWorker(plain, prefix)


class Aside:
    """A call in a thread of its own; what it returned or raised is what `join` returns or raises."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._value = call()
        except BaseException as error:
            self._error = error

    def join(self, seconds: float = 30) -> Any:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it still waits"
        if self._error is not None:
            raise self._error
        return self._value


@pytest.fixture
def aside() -> Callable[[Callable[[], Any]], Aside]:
    return Aside


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def limited(plain, redis_url, prefix):
    """A way to make an app whose user may do only so much."""
    apps = []

    def make(*rules: str) -> Doshit:
        plain.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">secret", f"~{prefix}:*", *rules)
        app = Doshit(f"{redis_url}&username=limited&password=secret", prefix=prefix)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()
    plain.execute_command("ACL", "DELUSER", "limited")
