"""What a type checker knows of tasks: mypy reads this file too, and `assert_type` fails there."""

from typing import Any, assert_type

from doshit import Doshit, Handle


def typed(app: Doshit) -> None:
    @app.task
    def add(a: int, b: int = 2) -> int:
        return a + b

    @app.task(name="fetch", queue="web", result_ttl=60)
    async def fetch(url: str) -> bytes:
        return url.encode()

    @app.task(queue="math")
    def half(a: int) -> float:
        return a / 2

    assert_type(add(1), int)
    assert_type(add.enqueue(1, b=2), Handle[int])
    assert_type(add.enqueue(1).result(), int)
    assert_type(add.options(queue="x", delay=1.5).enqueue(1), Handle[int])
    assert_type(add.enqueue_many([(1, 2), {"a": 3}]), list[Handle[int]])
    assert_type(add.handle("x"), Handle[int])
    assert_type(fetch.enqueue("x"), Handle[bytes])
    assert_type(half.enqueue(1).result(), float)
    assert_type(app.enqueue("elsewhere", {"a": 1}, id="x"), Handle[Any])
    add.enqueue("one")  # type: ignore[arg-type]
    add.enqueue(1, c=3)  # type: ignore[call-arg]
    add.options(color="red")  # type: ignore[call-arg]
    app.enqueue("elsewhere", {}, delay="soon")  # type: ignore[arg-type]


async def typed_async(app: Doshit) -> None:
    @app.task
    async def fetch(url: str) -> bytes:
        return url.encode()

    assert_type(await fetch("x"), bytes)
    assert_type(await fetch.aenqueue("x"), Handle[bytes])
    assert_type(await (await fetch.aenqueue("x")).aresult(), bytes)


def test_the_types_above_are_checked_by_lint():
    assert typed.__annotations__["app"] is Doshit
