"""A server for each process of the tests, a prefix for each test, and who acts. Judges nothing."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from clients import CLIENTS, Client, connect, until
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
    return _new_prefix()


def _new_prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def plain(url: str) -> Iterator[Any]:
    """A plain Redis client, texts in and out."""
    with connect(url) as plain:
        yield plain


@pytest.fixture
def start_worker(url: str, prefix: str, plain: Any) -> Iterator[Callable[..., Worker]]:
    """start_worker("python", "-c", "1"): a live one, which serves when this returns, stopped at the end of the test."""
    with ExitStack() as stack:

        def start(kind: str, *more: str, **target: object) -> Worker:
            before = plain.zcard(f"{prefix}:workers")
            worker = WORKERS[kind](url, prefix, *more, **target)
            stack.callback(worker.stop)
            until(lambda: plain.zcard(f"{prefix}:workers") > before, f"a {kind} worker serves")
            return worker

        yield start


@pytest.fixture(scope="session")
def worker_of(url: str) -> Iterator[Callable[[str], str]]:
    """worker_of("node"): the prefix that one of this kind serves until the session ends: to start one takes long."""
    prefixes: dict[str, str] = {}
    with ExitStack() as stack:

        def prefix_of(kind: str) -> str:
            if kind not in prefixes:
                prefixes[kind] = _new_prefix()
                stack.callback(WORKERS[kind](url, prefixes[kind]).stop)
            return prefixes[kind]

        yield prefix_of


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[Callable[[str, str], Client]]:
    """client("raw", prefix): one who produces, waits and cancels; the same one again for the same words."""
    clients: dict[tuple[str, str], Client] = {}
    with ExitStack() as stack:

        def made(kind: str, prefix: str) -> Client:
            if (kind, prefix) not in clients:
                clients[kind, prefix] = CLIENTS[kind](url, prefix)
                stack.callback(clients[kind, prefix].close)
            return clients[kind, prefix]

        yield made


@pytest.fixture
def doshit(url: str, prefix: str) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs one command of the Python package: doshit("submit", "add", "a=1")."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOSHIT_", "REDIS_"))}
    kept |= {"DOSHIT_REDIS": url, "DOSHIT_APP_PREFIX": prefix, "PYTHONUTF8": "1"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "doshit.cli.main", *words]
        return subprocess.run(
            command, env=kept, check=False, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL, timeout=60
        )

    return run
