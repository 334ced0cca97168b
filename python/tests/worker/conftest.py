"""What the tests of live workers ask for: a world to push into, and workers that are ended with the test."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from doshit.server import EmbeddedServer
from worker.workers import TASKS, Gate, Ledger, Worker, World, until


@pytest.fixture
def world(plain: "redis.Redis", prefix: str) -> World:
    return World(plain, prefix)


@pytest.fixture
def next_kind() -> Callable[[], type[Worker]]:
    """Of which kind the next worker is; the fault suite has more."""
    return lambda: Worker


@pytest.fixture
def start_worker(
    redis_url: str, prefix: str, tmp_path: Path, next_kind: Callable[[], type[Worker]]
) -> Iterator[Callable[..., Worker]]:
    """Starts a worker and waits until its name is in {app}:workers: start_worker("default", children=2, grace=1.0)."""
    with ExitStack() as stack:
        count = 0

        def start(
            *queues: str, children: int = 1, url: str = redis_url, target: str = TASKS, ready: bool = True,
            cwd: Path | None = None, **more: object,
        ) -> Worker:  # fmt: skip
            nonlocal count
            count += 1
            kind = next_kind()
            words = kind.words(target, url, prefix, queues or ("default",), children, **more)
            worker = kind(tmp_path / f"worker-{count}.log", words, cwd)
            stack.callback(worker.end)
            if ready:
                await_ready(worker, url, prefix)
            return worker

        yield start


def await_ready(worker: Worker, url: str, prefix: str) -> None:
    """Waits until a worker has a lease; its children are being born."""
    with redis.Redis.from_url(url, protocol=2) as client:
        world = World(client, prefix)

        def has_lease() -> bool:
            assert worker.process.poll() is None, worker.log()
            return any(f"-{worker.pid}-".encode() in id for id in world.workers())

        until(has_lease, what="the worker has registered")


@pytest.fixture
def own_world(start_server: Callable[..., EmbeddedServer], prefix: str) -> Iterator[tuple[EmbeddedServer, World]]:
    """A server with a log on disk that the test may stop, kill and start again, and its world."""
    server = start_server(persist=True)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        yield server, World(client, prefix)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Opened at the end, so that no task outlives its test."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def endings(redis_url: str, prefix: str) -> Iterator[Callable[[], Counter[bytes]]]:
    """How often the end of each task was announced so far, by the key of the task."""
    with redis.Redis.from_url(redis_url, protocol=2) as client, client.pubsub() as heard:
        heard.subscribe(f"{prefix}:results")
        assert heard.get_message(timeout=20)["type"] == "subscribe"
        counts: Counter[bytes] = Counter()

        def so_far() -> Counter[bytes]:
            client.publish(f"{prefix}:results", "that is all")
            while (message := heard.get_message(timeout=20))["data"] != b"that is all":
                counts[message["data"]] += 1
            return counts

        yield so_far
