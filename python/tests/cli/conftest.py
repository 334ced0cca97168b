"""What the tests of the command line share: the command as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

PATIENCE = 40.0
"""Seconds after which a process that should have ended fails its test; nothing waits for it to be right."""

DOSHIT = (sys.executable, "-m", "doshit.cli.main")


def environment(**more: str) -> dict[str, str]:
    """The environment without settings of doshit, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOSHIT_", "REDIS_"))}
    return {**kept, "PYTHONUTF8": "1", **more}


def run_doshit(args: Sequence[str], **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DOSHIT, *args],
        check=False,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        env=environment(**env),
    )


@pytest.fixture
def doshit(redis_url: str, prefix: str) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs one command on the test's server and prefix: doshit("submit", "add", "a=1")."""
    return lambda *args: run_doshit(args, DOSHIT_REDIS=redis_url, DOSHIT_APP_PREFIX=prefix)


@pytest.fixture
def start_doshit(redis_url: str, prefix: str) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts one command and leaves it running; it is ended with the test. Keyword arguments are its environment."""
    with ExitStack() as stack:

        def start(*args: str, **env: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [*DOSHIT, *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                env=environment(**{"DOSHIT_REDIS": redis_url, "DOSHIT_APP_PREFIX": prefix, **env}),
            )
            stack.enter_context(process)
            stack.callback(_end, process)
            return process

        yield start


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
