"""The async face: the same as the sync one, for an event loop. One instance belongs to one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis.asyncio
import redis.exceptions

from doshit.commands import SCRIPTS, Call
from doshit.transport.connect import CONNECT_TIMEOUT, Unreached, pool, translate
from doshit.transport.route import Route, route_to
from doshit.transport.tries import Tries

R = TypeVar("R")
_FAILED = (redis.exceptions.RedisError, OSError, Unreached)


class AsyncFace:
    """One app's server, over a pool of connections. Every method raises a ServerError when Redis refuses or is away.

    prefix: the app's; without it, a cluster is followed from its first MOVED on.
    """

    def __init__(self, url: str, prefix: str | None = None, *, timeout: float = 10.0) -> None:
        self.url, self._timeout = url, timeout
        self._route = route_to(url, prefix)
        self._redis: redis.asyncio.Redis | None = None

    async def call(self, call: Call[R]) -> R:
        """Runs one transition and returns its reply, read."""
        try:
            reply = await self._execute(*call.evalsha())
        except redis.exceptions.NoScriptError:
            reply = await self.command(*call.eval())
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None
        return call.parse(reply)

    async def fields(self, key: bytes | str, names: Sequence[str]) -> list[bytes | None]:
        """Some fields of a hash, None where there is none."""
        reply: list[bytes | None] = await self.command("HMGET", key, *names)
        return reply

    async def calls(self, calls: Sequence[Call[R]]) -> list[R]:
        """Runs several in one round trip."""
        if len(calls) == 1:
            return [await self.call(calls[0])]
        commands = [call.evalsha() for call in calls]
        try:
            replies = await self._pipeline(commands)
        except redis.exceptions.NoScriptError:
            # What was done before the refusal is done again, as every script may be.
            for script in {call.script.name for call in calls}:
                await self.command("SCRIPT LOAD", SCRIPTS[script].source)
            replies = await self.pipeline(commands)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None
        return [call.parse(reply) for call, reply in zip(calls, replies, strict=True)]

    async def command(self, *args: bytes | str | float) -> Any:
        """Runs one plain command."""
        try:
            return await self._execute(*args)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    async def pipeline(self, commands: Sequence[Sequence[bytes | str | int | float]]) -> list[Any]:
        """Runs plain commands in one round trip. Raises the first refusal; the others have run all the same."""
        try:
            return await self._pipeline(commands)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    async def _execute(self, *args: bytes | str | float) -> Any:
        return await self._repeat(lambda client: client.execute_command(*args))

    async def _pipeline(self, commands: Sequence[Sequence[bytes | str | int | float]]) -> list[Any]:
        def send(client: redis.asyncio.Redis) -> Awaitable[list[Any]]:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute()

        return await self._repeat(send)

    async def _repeat(self, work: Callable[[redis.asyncio.Redis], Awaitable[R]]) -> R:
        """Does it again after what passes. Raises an error of redis-py, or ServerUnavailable."""
        tries: Tries | None = None
        while True:
            client = None
            try:
                client = await self._client()
                return await work(client)
            except _FAILED as error:
                tries = tries or Tries(self._route)
                pause = tries.pause(error)
            if client is not None and client is self._redis:
                await self.close()  # the node is away, or another serves now: the next try looks for it
            await asyncio.sleep(pause)

    async def _client(self) -> redis.asyncio.Redis:
        if self._redis is None:
            node = await _find(self._route)
            if self._redis is None:  # nobody else has made one meanwhile
                connections = pool(node, redis.asyncio, socket_timeout=self._timeout)
                self._redis = redis.asyncio.Redis(connection_pool=connections)
        return self._redis

    def subscribe(self, channels: Sequence[str]) -> AsyncSubscription:
        """A subscription on a connection of its own."""
        return AsyncSubscription(self._route, channels)

    async def close(self) -> None:
        client, self._redis = self._redis, None
        if client is not None:
            await client.connection_pool.disconnect()


async def _find(route: Route) -> str:
    # Asking blocks; it is rare, so it needs no second version of its own.
    return await asyncio.to_thread(route.find) if route.asks else route.find()


async def _subscribe(connection: Any, channels: set[str]) -> None:
    await connection.send_command("SUBSCRIBE", *channels, check_health=False)
    confirmed = 0
    while confirmed < len(channels):
        reply = await _read(connection, CONNECT_TIMEOUT)
        if reply is None:
            raise redis.exceptions.TimeoutError("no answer to SUBSCRIBE")
        confirmed += reply[0] == b"subscribe"


async def _read(connection: Any, seconds: float) -> Any:
    # Told to, redis-py closes what was read amid without a wait; over TLS the end of the loop would then come first.
    return await connection.read_response(timeout=seconds, disconnect_on_error=False)


class AsyncSubscription:
    """Messages of some channels on a connection of its own. One task opens and reads; any may add and drop channels."""

    def __init__(self, route: Route, channels: Sequence[str]) -> None:
        self._route, self._channels = route, set(channels)
        self._connection: Any = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None and bool(self._connection.is_connected)

    async def open(self) -> None:
        """Connects and subscribes; when it returns no later message can be missed. Raises ServerError."""
        await self.close()
        connection = pool(await _find(self._route), redis.asyncio).make_connection()
        try:
            await connection.connect()
            asked: set[str] = set()
            while fresh := self._channels - asked:  # some may be added meanwhile
                await _subscribe(connection, fresh)
                asked |= fresh
            self._connection = connection
        except (redis.exceptions.RedisError, OSError) as error:
            self._route.follow(error)
            raise translate(error, self._route.url) from None
        finally:
            if self._connection is not connection:
                await connection.disconnect()

    async def add(self, channel: str) -> None:
        """Asks for one more channel, now if this is open. `events` tells when its messages can be missed no more."""
        self._channels.add(channel)
        await self._send("SUBSCRIBE", channel)

    async def drop(self, channel: str) -> None:
        """Asks for no more messages of a channel; some may still be under way."""
        self._channels.discard(channel)
        await self._send("UNSUBSCRIBE", channel)

    async def _send(self, *command: str) -> None:
        if self.is_open:
            # The one who reads will meet the loss, and is the one who can mend it.
            with suppress(redis.exceptions.RedisError, OSError):
                await self._connection.send_command(*command, check_health=False)

    async def events(self, seconds: float) -> list[tuple[bytes, bytes, bytes | int]]:
        """The next event within so many seconds, else [].

        It is (b"message", channel, payload), or (b"subscribe" or b"unsubscribe", channel, how many there are now).
        Raises ServerError when cut off; open() makes it whole again.
        """
        try:
            if not self.is_open:
                raise redis.exceptions.ConnectionError("not connected")
            reply = await _read(self._connection, seconds)
        except (redis.exceptions.RedisError, OSError) as error:
            self._route.follow(error)
            await self.close()
            raise translate(error, self._route.url) from None
        except asyncio.CancelledError:
            await self.close()  # who ends the loop without a close() leaves nothing open either
            raise
        return [] if reply is None else [tuple(reply)]

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect()
