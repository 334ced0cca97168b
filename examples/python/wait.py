"""Enqueue a task and wait for what it returns; one, many, and in an event loop.

    doshit dev wait.py     # in one terminal; set DOSHIT_REDIS in the other, as it says there
    python wait.py

prints

    3
    [3, 5, 11]
    30
    BadArguments: add: args.b: expected int, got str
"""

import asyncio

from doshit import BadArguments, task


@task
def add(a: int, b: int = 2) -> int:
    return a + b


async def main() -> None:
    handle = await add.aenqueue(10, b=20)
    print(await handle.aresult(timeout=20))


if __name__ == "__main__":
    print(add.enqueue(1).result(timeout=20))
    handles = add.enqueue_many([(1,), (3,), {"a": 5, "b": 6}])
    print([handle.result(timeout=20) for handle in handles])
    asyncio.run(main())
    try:
        add.enqueue(1, b="two")  # type: ignore[arg-type]  # refused here; nothing reaches the queue
    except BadArguments as error:
        print(f"BadArguments: {error}")
