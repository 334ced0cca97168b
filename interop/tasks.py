"""What the Python workers of these tests serve. tasks.mjs serves the same, but for what only_here is called."""

import time
from typing import Any

from doshit import Doshit

app = Doshit()


@app.task
def echo(value: Any) -> Any:
    return value


@app.task
def fail(message: str) -> None:
    raise ValueError(message)


@app.task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task
def language() -> str:
    return "python"


@app.task
def only_python(n: int) -> list[str | int]:
    """Twice the number, and who says so."""
    return ["python", 2 * n]


@app.task
def only_python_nap(seconds: float) -> float:
    return nap(seconds)
