"""One connection that never blocks: bytes are queued, replies are read when the socket has them. Decides nothing.

The route says where and redis-py connects (TCP, unix socket, TLS, AUTH, SELECT). From then on this file reads and
writes the socket with hiredis, because a supervisor that waits inside a client library can neither beat nor kill.
"""

from __future__ import annotations

import itertools
import select
import socket
import ssl
from collections.abc import Sequence
from typing import Any, cast

import hiredis
import redis.exceptions

from doshit.transport.connect import pool, refusal, shows_life, translate
from doshit.transport.route import Route

# More would be mapped and unmapped by malloc at every read, which costs 10 microseconds.
_READ_SIZE = 1 << 16
# Windows has no poll; elsewhere select is no use beyond 1,024 open files.
_READABLE: int = getattr(select, "POLLIN", 0)
_WRITABLE: int = getattr(select, "POLLOUT", 0)


_ELSEWHERE = ("MOVED", "READONLY", "CLUSTERDOWN", "MASTERDOWN")


class LinkLost(Exception):
    """The connection is gone; what was not answered may or may not have happened.

    answered: something closed or reset it, so the host lives; False: it was silence.
    """

    def __init__(self, why: str, answered: bool = True) -> None:
        super().__init__(why)
        self.answered = answered


_counter = itertools.count(1)


class Link:
    """A connection along a route. Replies come in the order of the commands; a refusal is a hiredis.ReplyError.

    made: a number that is another for each connection of this process.
    answered: after connect() has failed, whether the host gave a sign of life all the same (refused, reset, loading).
    """

    def __init__(self, route: Route, name: str | None = None) -> None:
        self.route, self.url, self.name = route, route.url, name
        self._socket: socket.socket | None = None
        self._out = bytearray()
        self.made = 0

    def connect(self) -> None:
        """Finds the node and connects, blocking for some seconds at most. Raises a ServerError."""
        connection = pool(self.route.find(), client_name=self.name).make_connection()
        try:
            connection.connect()
        except (redis.exceptions.RedisError, OSError) as error:
            self.route.follow(error)
            raise translate(error, self.url) from None
        # The one private name of redis-py in use: it has no public way to the socket (redis 5 to 8 have this one).
        made: socket.socket = cast(Any, connection)._sock
        made.setblocking(False)
        self._connection = connection  # kept: it closes the socket when it is collected
        self._reader = hiredis.Reader()
        self.made = next(_counter)
        self._poller = select.poll() if _READABLE else None
        self._out.clear()
        self._socket = made  # last: another thread may look at is_open

    @property
    def answered(self) -> bool:
        return self.route.answered

    def is_elsewhere(self, refused: hiredis.ReplyError) -> bool:
        """Does this refusal say that another node serves the app now? Then the next connect() looks for it."""
        return str(refused).startswith(_ELSEWHERE) and self.route.follow(refusal(refused))

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def put(self, command: Sequence[bytes | str | int | float]) -> None:
        """Queues one command for the next flush. Text goes as UTF-8; bytes that came as surrogates go as they were."""
        try:
            self._out += hiredis.pack_command(cast(Any, tuple(command)))
        except UnicodeEncodeError:
            raw = (part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part for part in command)
            self._out += hiredis.pack_command(cast(Any, tuple(raw)))

    def send(self, *commands: Sequence[bytes | str | int | float]) -> None:
        """Queues commands and writes what the socket takes now. Raises LinkLost."""
        for command in commands:
            self.put(command)
        self.flush()

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def flush(self) -> None:
        """Writes what the socket takes now. Raises LinkLost."""
        if self._socket is None:
            raise LinkLost("not connected")
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError as error:
                raise self._lost(error) from None
            del self._out[:sent]

    def wait(self, seconds: float) -> bool:
        """Waits until there is something to read, or room for what is queued; False when the time is up first."""
        if self._socket is None or self.has_buffered():
            return True
        if self._poller is None:
            writers = [self._socket] if self._out else []
            return any(select.select([self._socket], writers, [], max(0.0, seconds))[:2])
        self._poller.register(self._socket, _READABLE | _WRITABLE if self._out else _READABLE)
        return bool(self._poller.poll(max(0.0, seconds) * 1000))

    def has_buffered(self) -> bool:
        """Has TLS decrypted bytes that the socket will not announce again?"""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def receive(self) -> list[Any]:
        """The replies that are there now, perhaps none. Raises LinkLost."""
        if self._socket is None:
            raise LinkLost("not connected")
        replies: list[Any] = []
        while True:
            try:
                data = self._socket.recv(_READ_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return replies
            except OSError as error:
                raise self._lost(error) from None
            if not data:
                lost = self._lost(ConnectionResetError("the server closed the connection"))
                if replies:
                    return replies
                raise lost
            self._reader.feed(data)
            replies += self._complete()
            if len(data) < _READ_SIZE and not self.has_buffered():
                return replies

    def _complete(self) -> list[Any]:
        replies = []
        try:
            while (reply := self._reader.gets()) is not False:
                replies.append(reply)
        except hiredis.ProtocolError as error:
            self.close()
            raise LinkLost(f"not a Redis server: {error}") from None
        return replies

    def _lost(self, error: OSError) -> LinkLost:
        self.close()
        self.route.follow(error)
        return LinkLost(str(error), shows_life(error))

    def close(self) -> None:
        if self._socket is not None:
            self._connection.disconnect()
            self._socket = None
