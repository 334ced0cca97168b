"""The functions that the benchmarks run. Also the worker's target: tasks.py:app."""

import time

from doshit import Doshit


def add(a: int, b: int) -> int:
    return a + b


def work(seconds: float) -> float:
    """One function for short and for long runs: the worker cannot tell them apart by name."""
    if seconds:
        time.sleep(seconds)
    return seconds


app = Doshit()
app.task(add)
app.task(work)
