"""Serves one function that tasks.py lacks."""

from doshit import Doshit

app = Doshit()


@app.task
def multiply(a: int, b: int) -> int:
    return a * b
