"""The sync face: calls, commands and subscriptions that wait for their answers. Safe in threads and after fork."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import sleep
from typing import Any, TypeVar

import redis
import redis.exceptions

from doshit.commands import SCRIPTS, Call
from doshit.transport.connect import CONNECT_TIMEOUT, Unreached, judge_server, pool, refusal, translate
from doshit.transport.link import Link, LinkLost
from doshit.transport.links import Links
from doshit.transport.route import Route, route_to
from doshit.transport.tries import Tries

R = TypeVar("R")
_FAILED = (redis.exceptions.RedisError, OSError, Unreached)


class SyncFace:
    """One app's server, over a pool of connections. Every method raises a ServerError when Redis refuses or is away.

    A command that is sent here may be sent twice after a lost reply, so only what is safe to repeat comes this way.
    prefix: the app's; without it, a cluster is followed from its first MOVED on.
    """

    def __init__(self, url: str, prefix: str | None = None, *, timeout: float = 10.0) -> None:
        self.url, self._timeout = url, timeout
        self._route = route_to(url, prefix)
        self._redis: redis.Redis | None = None
        self._links = Links(self._route, timeout)

    def call(self, call: Call[R]) -> R:
        """Runs one transition and returns its reply, read."""
        try:
            reply = self._links.exchange(call.evalsha())
        except redis.exceptions.NoScriptError:
            reply = self._exchange(call.eval())
        except redis.exceptions.RedisError as error:
            raise translate(error, self.url) from None
        return call.parse(reply)

    def fields(self, key: bytes | str, names: Sequence[str]) -> list[bytes | None]:
        """Some fields of a hash, None where there is none."""
        reply: list[bytes | None] = self._exchange(("HMGET", key, *names))
        return reply

    def _exchange(self, command: Sequence[bytes | str | int | float]) -> Any:
        try:
            return self._links.exchange(command)
        except redis.exceptions.RedisError as error:
            raise translate(error, self.url) from None

    def calls(self, calls: Sequence[Call[R]]) -> list[R]:
        """Runs several in one round trip."""
        if len(calls) == 1:
            return [self.call(calls[0])]
        commands = [call.evalsha() for call in calls]
        try:
            replies = self._pipeline(commands)
        except redis.exceptions.NoScriptError:
            # What was done before the refusal is done again, as every script may be.
            for script in {call.script.name for call in calls}:
                self.command("SCRIPT LOAD", SCRIPTS[script].source)
            replies = self.pipeline(commands)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None
        return [call.parse(reply) for call, reply in zip(calls, replies, strict=True)]

    def command(self, *args: bytes | str | float) -> Any:
        """Runs one plain command."""
        try:
            return self._repeat(lambda client: client.execute_command(*args))
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    def pipeline(self, commands: Sequence[Sequence[bytes | str | int | float]]) -> list[Any]:
        """Runs plain commands in one round trip. Raises the first refusal; the others have run all the same."""
        try:
            return self._pipeline(commands)
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None

    def _pipeline(self, commands: Sequence[Sequence[bytes | str | int | float]]) -> list[Any]:
        def send(client: redis.Redis) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute()

        return self._repeat(send)

    def _repeat(self, work: Callable[[redis.Redis], R]) -> R:
        """Does it again after what passes. Raises an error of redis-py, or ServerUnavailable."""
        tries: Tries | None = None
        while True:
            client = None
            try:
                client = self._client()
                return work(client)
            except _FAILED as error:
                tries = tries or Tries(self._route)
                pause = tries.pause(error)
                self._leave(client)
            sleep(pause)

    def _client(self) -> redis.Redis:
        client = self._redis
        if client is None:
            connections = pool(self._route.find(), socket_timeout=self._timeout)
            client = self._redis = redis.Redis(connection_pool=connections)
        return client

    def _leave(self, client: redis.Redis | None) -> None:
        """The node is away, or another serves now: the next command looks for it. What other threads do goes on."""
        if client is not None and client is self._redis:
            self._redis = None
            client.connection_pool.disconnect(inuse_connections=False)

    def check(self, prefix: str) -> None:
        """Raises ServerUnavailable or ServerUnsuitable if this server will not do. Who may not INFO is let through."""
        self._route = route_to(self.url, prefix)
        try:
            info = self._repeat(lambda client: client.info("everything"))
        except redis.exceptions.NoPermissionError:
            return
        except (redis.exceptions.RedisError, OSError) as error:
            raise translate(error, self.url) from None
        judge_server(info, self.url, prefix)

    def subscribe(self, channels: Sequence[str]) -> Subscription:
        """A subscription on a connection of its own."""
        return Subscription(self._route, channels)

    def close(self) -> None:
        self._links.close()
        client, self._redis = self._redis, None
        if client is not None:
            client.connection_pool.disconnect()


class Subscription:
    """Messages of some channels on a connection of its own.

    One thread at a time opens and reads; any thread may add and drop channels meanwhile, which never blocks.
    """

    def __init__(self, route: Route, channels: Sequence[str]) -> None:
        self._link = Link(route)
        self._channels = set(channels)
        # TLS has one state for both directions, so reading and writing exclude each other; waiting does not.
        self._using = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._link.is_open

    def open(self) -> None:
        """Connects and subscribes; when it returns no later message can be missed. Raises ServerError."""
        with self._using:
            self._link.close()
            self._link.connect()
            asked = tuple(self._channels)
            self._send("SUBSCRIBE", *asked)
        confirmed = 0
        while confirmed < len(asked):
            if not self._link.wait(CONNECT_TIMEOUT):
                self.close()
                raise translate(
                    redis.exceptions.TimeoutError("no answer to SUBSCRIBE"),
                    self._link.url,
                )
            confirmed += sum(reply[0] == b"subscribe" for reply in self._receive())

    def add(self, channel: str) -> None:
        """Asks for one more channel, now if this is open. `events` tells when its messages can be missed no more."""
        with self._using:
            self._channels.add(channel)
            if self._link.is_open:
                self._send("SUBSCRIBE", channel)

    def drop(self, channel: str) -> None:
        """Asks for no more messages of a channel; some may still be under way."""
        with self._using:
            self._channels.discard(channel)
            if self._link.is_open:
                self._send("UNSUBSCRIBE", channel)

    def events(self, seconds: float) -> list[tuple[bytes, bytes, bytes | int]]:
        """What arrives within so many seconds, at once when there is something, else [].

        Each is (b"message", channel, payload), or (b"subscribe" or b"unsubscribe", channel, how many there are now).
        Raises ServerError when cut off; open() makes it whole again.
        """
        return self._receive() if self._link.wait(seconds) else []

    def _send(self, *command: str) -> None:
        # The one who reads will meet the loss, and is the one who can mend it.
        with suppress(LinkLost):
            self._link.send(command)

    def _receive(self) -> list[Any]:
        try:
            with self._using:
                self._link.flush()
                replies = self._link.receive()
        except LinkLost as error:
            raise translate(redis.exceptions.ConnectionError(str(error)), self._link.url) from None
        for reply in replies:
            if not isinstance(reply, list):
                self.close()
                raise translate(refusal(reply), self._link.url)
        return replies

    def close(self) -> None:
        with self._using:
            self._link.close()
