"""One connection that never blocks: bytes are queued, replies are read when the socket has them. Decides nothing.

redis-py connects (TCP, unix socket, TLS, AUTH, SELECT); from then on this file reads and writes the socket itself with
hiredis, because a supervisor that waits inside a client library can neither beat nor kill.
"""

from __future__ import annotations

import itertools
import select
import socket
import ssl
from collections.abc import Sequence
from typing import Any, cast

import hiredis
import redis
import redis.exceptions

from doshit.transport.connect import COMMON, check_url, translate

# More would be mapped and unmapped by malloc at every read, which costs 10 microseconds.
_READ_SIZE = 1 << 16
# Windows has no poll; elsewhere select is no use beyond 1,024 open files.
_READABLE: int = getattr(select, "POLLIN", 0)
_WRITABLE: int = getattr(select, "POLLOUT", 0)


class LinkLost(Exception):
    """The connection is gone; what was not answered may or may not have happened."""


_counter = itertools.count(1)


class Link:
    """A connection to one server. Replies come in the order of the commands; a refusal is a hiredis.ReplyError.

    made: a number that is another for each connection of this process.
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url, self.name = check_url(url), name
        self._socket: socket.socket | None = None
        self._out = bytearray()
        self.made = 0

    def connect(self) -> None:
        """Connects, blocking for at most the connect timeout. Raises a ServerError."""
        pool = redis.ConnectionPool.from_url(self.url, **COMMON, socket_timeout=5.0, client_name=self.name)
        connection = pool.make_connection()
        try:
            connection.connect()
        except (redis.exceptions.RedisError, OSError) as error:
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
                self.close()
                raise LinkLost(str(error)) from None
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
                self.close()
                raise LinkLost(str(error)) from None
            if not data:
                self.close()
                if replies:
                    return replies
                raise LinkLost("the server closed the connection")
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

    def close(self) -> None:
        if self._socket is not None:
            self._connection.disconnect()
            self._socket = None
