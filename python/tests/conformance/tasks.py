"""The functions that the stories and the args vectors call, as protocol/conformance/README.md describes them."""

import time
from typing import Any

from doshit import Doshit

app = Doshit()
FALSY: dict[str, Any] = {
    "null": None,
    "0": 0,
    "false": False,
    "text": "",
    "array": [],
    "object": {},
}


@app.task
def echo(text: str) -> str:
    return text


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def fail(message: str) -> None:
    raise ValueError(message)


@app.task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task
def falsy(which: str) -> Any:
    return FALSY[which]


@app.task
def nothing() -> None:
    pass


@app.task(name="any")
def any_value(value: Any) -> Any:
    return value


@app.task
def not_a_number() -> float:
    return float("nan")


@app.task
def large(size: int) -> str:
    return "x" * size
