"""The async face: the same as the sync one, for an event loop. One instance belongs to one loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from doshit.commands import SCRIPTS, Call
from doshit.transport.connect import COMMON, check_url, translate

R = TypeVar("R")
_LOST = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


class AsyncFace:
    """One server, over a pool of connections. Every method raises a ServerError when Redis refuses or is away."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self.url = check_url(url)
        retry = Retry(ExponentialBackoff(cap=1.0, base=0.05), 4)
        self._redis = redis.asyncio.Redis.from_url(
            url,
            **COMMON,
            socket_timeout=timeout,
            retry=retry,
            retry_on_error=list(_LOST),
        )

    async def call(self, call: Call[R]) -> R:
        """Runs one transition and returns its reply, read."""
        try:
            reply = await self._redis.execute_command(*call.evalsha())
        except redis.exceptions.NoScriptError:
            reply = await self.command(*call.eval())
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None
        return call.parse(reply)

    async def calls(self, calls: Sequence[Call[R]]) -> list[R]:
        """Runs several in one round trip."""
        if len(calls) == 1:
            return [await self.call(calls[0])]
        for script in {call.script.name for call in calls}:
            await self.command("SCRIPT LOAD", SCRIPTS[script].source)
        replies = await self.pipeline([call.evalsha() for call in calls])
        return [call.parse(reply) for call, reply in zip(calls, replies, strict=True)]

    async def command(self, *args: bytes | str | float) -> Any:
        """Runs one plain command."""
        try:
            return await self._redis.execute_command(*args)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    async def pipeline(
        self, commands: Sequence[Sequence[bytes | str | int | float]]
    ) -> list[Any]:
        """Runs plain commands in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            return await pipeline.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    def subscribe(self, channels: Sequence[str]) -> AsyncSubscription:
        """A subscription on a connection of its own."""
        return AsyncSubscription(self._redis, self.url, channels)

    async def close(self) -> None:
        await self._redis.aclose()


class AsyncSubscription:
    """Messages of some channels, for one reader."""

    def __init__(
        self, client: redis.asyncio.Redis, url: str, channels: Sequence[str]
    ) -> None:
        self._pubsub = client.pubsub(ignore_subscribe_messages=False)
        self._url, self._channels = url, list(channels)

    async def open(self) -> None:
        """Connects and subscribes; when it returns no later message can be missed. Raises ServerError."""
        try:
            await self._pubsub.subscribe(*self._channels)
            confirmed = 0
            while confirmed < len(self._channels):
                message = await self._pubsub.get_message(timeout=10.0)
                if message is None:
                    raise redis.exceptions.TimeoutError("no answer to SUBSCRIBE")
                confirmed += message["type"] == "subscribe"
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self._url) from None

    async def message(self, seconds: float) -> bytes | None:
        """The next payload, or None if none came within so many seconds. Raises ServerError when cut off."""
        try:
            message = await self._pubsub.get_message(timeout=seconds)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self._url) from None
        return message["data"] if message and message["type"] == "message" else None

    async def close(self) -> None:
        await self._pubsub.aclose()
