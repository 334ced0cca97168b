"""What the Python workers of these tests serve."""

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
