"""What these tests ask for: nodes of their own, which are broken and reconfigured."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers import Engine
from transport.nodes import Cluster, Node, Watched, starter
from worker.workers import TASKS, Worker, command


@pytest.fixture
def start_node(engine: Engine) -> Iterator[Callable[..., Node]]:
    """Starts a server with lines of configuration: start_node("requirepass x", password="x")."""
    with starter(engine.binary) as start:
        yield start


@pytest.fixture
def cluster(start_node: Callable[..., Node]) -> Cluster:
    """A cluster for the prefix {jobs}."""
    return Cluster(start_node, "jobs")


@pytest.fixture
def watched(start_node: Callable[..., Node]) -> Watched:
    return Watched(start_node)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts a worker: start_worker(url, "prefix")."""
    started: list[Worker] = []

    def start(url: str, prefix: str, *, target: str = TASKS, children: int = 1, **more: object) -> Worker:
        words = command(target, url, prefix, ("default",), children, **more)
        started.append(Worker(tmp_path / f"worker-{len(started)}.log", words))
        return started[-1]

    yield start
    for worker in started:
        worker.end()
