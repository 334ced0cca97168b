"""Many calls at once on one client: they wait for each other, none is refused."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from doshit import Doshit

CROWD = 300


def test_hundreds_of_coroutines_submit_and_ask_at_once(redis_url, prefix):
    async def one(app: Doshit, number: int) -> str:
        handle = await app.aenqueue("nothing", {"number": number})
        return await handle.astate()

    async def all_of_them() -> list[str]:
        async with Doshit(redis_url, prefix=prefix) as app:
            return await asyncio.gather(*(one(app, number) for number in range(CROWD)))

    assert asyncio.run(all_of_them()) == ["pending"] * CROWD


def test_hundreds_of_threads_submit_batches_at_once(redis_url, prefix):
    with Doshit(redis_url, prefix=prefix) as app, ThreadPoolExecutor(CROWD) as threads:
        batch = [[app.job("nothing") for _ in range(600)] for _ in range(CROWD // 2)]
        batches = threads.map(lambda jobs: len(app.enqueue_many(jobs)), batch)

        assert list(batches) == [600] * (CROWD // 2)
