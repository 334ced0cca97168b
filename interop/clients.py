"""Who produces, waits and cancels: a client of the package, and plain commands. Both say the same words."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import redis

from doshit import Doshit, TaskFailed

PATIENCE = 25.0
LOOK = 0.01


@dataclass(frozen=True)
class End:
    """How a task ended, as whoever waited was told. value: for a success; code and reason: for a failure."""

    value: Any = None
    code: str = ""
    reason: str = ""


class Client(Protocol):
    """One side of a story. Each may be played by another language."""

    def produce(self, function: str, args: dict[str, Any]) -> str: ...

    def wait(self, id: str) -> End: ...

    def cancel(self, id: str) -> None: ...

    def close(self) -> None: ...


class PythonClient:
    """The client of the Python package."""

    def __init__(self, url: str, prefix: str) -> None:
        self._app = Doshit(url, prefix=prefix)

    def produce(self, function: str, args: dict[str, Any]) -> str:
        return self._app.enqueue(function, args).id

    def wait(self, id: str) -> End:
        try:
            return End(self._app.handle(id).result(timeout=PATIENCE))
        except TaskFailed as failure:
            return End(code=failure.code, reason=failure.reason)

    def cancel(self, id: str) -> None:
        self._app.handle(id).cancel()

    def close(self) -> None:
        self._app.close()


def connect(url: str) -> Any:
    """A plain client that answers texts; untyped, as redis-py says of most replies that they may be bytes too."""
    return redis.Redis.from_url(url, protocol=2, decode_responses=True)


class RawClient:
    """The plain commands of the contract: HSET and LPUSH, SUBSCRIBE and HMGET, LPUSH to cancel."""

    def __init__(self, url: str, prefix: str) -> None:
        self._plain = connect(url)
        self._prefix = prefix
        self._pubsub = self._plain.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(f"{prefix}:results")
        self._pubsub.get_message(timeout=PATIENCE)

    def produce(self, function: str, args: dict[str, Any]) -> str:
        id = str(uuid.uuid4())
        fields = {"function": function, "state": "pending", "args": json.dumps(args)}
        self._plain.hset(f"{self._prefix}:task:{id}", mapping=fields)
        self._plain.lpush(f"{self._prefix}:default:pending", id)
        return id

    def wait(self, id: str) -> End:
        key = f"{self._prefix}:task:{id}"
        heard = self._plain.hget(key, "result") is not None
        deadline = time.monotonic() + PATIENCE
        while not heard:
            message = self._pubsub.get_message(timeout=deadline - time.monotonic())
            assert message, f"no message said that {key} has ended"
            heard = message["data"] == key
        names = ("result", "result-value", "error-code", "error-reason")
        result, value, code, reason = self._plain.hmget(key, names)
        return End(json.loads(value)) if result == "successful" else End(code=code, reason=reason)

    def cancel(self, id: str) -> None:
        self._plain.lpush(f"{self._prefix}:cancel", id)

    def close(self) -> None:
        self._pubsub.close()
        self._plain.close()


class NodeClient:
    """A Node process, told by lines of JSON. kind: "package", or "commands" for plain ones by another Redis library."""

    def __init__(self, url: str, prefix: str, kind: str = "package") -> None:
        self._process = subprocess.Popen(
            ["node", str(Path(__file__).with_name("client.mjs")), kind, url, prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer("ready")

    def produce(self, function: str, args: dict[str, Any]) -> str:
        id: str = self._ask("produce", function, args)
        return id

    def wait(self, id: str) -> End:
        return End(**self._ask("wait", id))

    def cancel(self, id: str) -> None:
        self._ask("cancel", id)

    def close(self) -> None:
        """Ends its input, upon which it closes its connections and must end by itself."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.close()
            assert self._process.wait(PATIENCE) == 0
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def _ask(self, verb: str, *words: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"verb": verb, "words": words}) + "\n")
        self._process.stdin.flush()
        return self._answer("answer")

    def _answer(self, name: str) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the Node process has ended; what it said stands in the captured output"
        said = json.loads(line)
        assert name in said, said["error"]
        return said[name]


CLIENTS: dict[str, Callable[[str, str], Client]] = {"python": PythonClient, "node": NodeClient, "raw": RawClient}


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """The first true answer of condition; the test fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so after {seconds:g} s: {what}"
        time.sleep(LOOK)
    return answer
