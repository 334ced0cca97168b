"""A bare connection that sends commands as redis-cli does, and prints replies as it does. Knows nothing of tasks.

The demo uses it to show that a task needs no client library: a socket is enough.
"""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from typing import Self
from urllib.parse import unquote, urlsplit

from doshit.cli.text import one_line
from doshit.errors import ServerError

Reply = str | int | None | list["Reply"]


class BareConnection:
    """One connection to the embedded server. Every wait ends after `timeout` seconds with a TimeoutError."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout)
            self._socket.connect(unquote(parts.path))
        else:
            self._socket = socket.create_connection((parts.hostname, parts.port), timeout)
        self._replies = self._socket.makefile("rb")
        if parts.password:
            self.command("AUTH", unquote(parts.password))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._replies.close()
        self._socket.close()

    def command(self, *words: str) -> Reply:
        """Sends a command and returns its reply. Raises ServerError with what the server refused."""
        self._socket.sendall(wire_form(words))
        return self.read()

    def read(self) -> Reply:
        """The next reply or message."""
        line = self._replies.readline()
        if not line:
            raise ServerError("the server closed the connection; run the demo again")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise ServerError(rest)
        if kind == b"+":
            return rest
        size = int(rest)
        if kind == b":":
            return size
        if size < 0:
            return None
        if kind == b"*":
            return [self.read() for _ in range(size)]
        return self._replies.read(size + 2)[:-2].decode("utf-8", "surrogateescape")


def wire_form(words: tuple[str, ...]) -> bytes:
    """A command as its bytes on the wire: the count of its words, then each with its length."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def typed_form(words: tuple[str, ...]) -> str:
    """A command as a person types it into a shell after redis-cli."""
    return " ".join(shlex.quote(word) for word in words)


def printed_form(reply: Reply, indent: str = "") -> Iterator[str]:
    """The lines redis-cli prints for a reply."""
    if isinstance(reply, list):
        if not reply:
            yield "(empty array)"
        width = len(str(len(reply)))
        for number, item in enumerate(reply, 1):
            first, *more = printed_form(item, indent + " " * (width + 2))
            yield f"{indent if number > 1 else ''}{number:>{width}}) {first}"
            yield from more
    elif isinstance(reply, int):
        yield f"(integer) {reply}"
    else:
        yield ("(nil)" if reply is None else '"' + one_line(reply.replace('"', '\\"')) + '"')
