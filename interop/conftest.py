"""A server for each process of the tests, a prefix for each test, and who acts. Judges nothing."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from clients import CLIENTS, Client, connect
from servers import engines, private_server
from workers import WORKERS, Worker


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """A server of this run's own."""
    with private_server(engines()[0]) as server:
        yield server.url


@pytest.fixture
def prefix() -> str:
    """An application prefix that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def plain(url: str) -> Iterator[Any]:
    """A plain Redis client, texts in and out."""
    with connect(url) as plain:
        yield plain


@pytest.fixture
def start_worker(url: str, prefix: str) -> Iterator[Callable[[str], Worker]]:
    """start_worker("python"): a live one, stopped at the end of the test."""
    with ExitStack() as stack:

        def start(kind: str) -> Worker:
            worker = WORKERS[kind](url, prefix)
            stack.callback(worker.stop)
            return worker

        yield start


@pytest.fixture
def client(url: str, prefix: str) -> Iterator[Callable[[str], Client]]:
    """client("raw"): one who produces, waits and cancels."""
    with ExitStack() as stack:

        def make(kind: str) -> Client:
            made = CLIENTS[kind](url, prefix)
            stack.callback(made.close)
            return made

        yield make
