"""The subscription of an event loop: what is asked of it at any moment is heard."""

import asyncio

from doshit.transport import AsyncFace
from worker.workers import until


def test_a_channel_that_is_added_while_it_opens_is_heard(redis_url, plain, start_proxy):
    proxy = start_proxy(redis_url)

    async def main() -> None:
        subscription = AsyncFace(proxy.url).subscribe(["early"])
        proxy.hold()
        opening = asyncio.create_task(subscription.open())
        await asyncio.to_thread(until, lambda: proxy.accepted, what="the connection is there")
        await subscription.add("late")
        proxy.release()
        await opening
        plain.publish("late", "news")
        assert await subscription.events(25) == [(b"message", b"late", b"news")]
        await subscription.close()

    asyncio.run(main())
