"""The tasks that the command-line tests have run: one that echoes, adds, fails, naps."""

import time
from typing import Any

from doshit import task


@task
def echo(text: Any) -> Any:
    """Gives back what it gets."""
    return text


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task
def fail(message: str) -> None:
    raise RuntimeError(message)


@task
def nap(seconds: float) -> float:
    """Sleeps, and says for how long."""
    time.sleep(seconds)
    return seconds
