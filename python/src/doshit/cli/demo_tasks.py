import time

from doshit import task


@task
def echo(text: str) -> str:
    return text


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task
def fail(message: str) -> None:
    raise ValueError(message)


@task
def square(n: int) -> int:
    time.sleep(0.002)
    return n * n
