"""Sends reads and takes a refusal as an answer, so that who may read little still gets a report. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from doshit.cli.text import one_line
from doshit.commands.calls import text
from doshit.errors import NotPermitted, ServerError, ServerUnavailable
from doshit.transport import SyncFace

Command = Sequence[bytes | str | int | float]
PAGE = 500
"""Commands sent at once, and entries asked for at once."""


class Refused(NamedTuple):
    """What Redis said instead of an answer."""

    why: str


class Reader:
    """Reads of one server. unread: the commands that this user may not run, each with Redis's reason."""

    def __init__(self, face: SyncFace) -> None:
        self._face = face
        self._denied: set[bytes | str | int | float] = set()
        self.unread: dict[str, str] = {}

    def one(self, *command: bytes | str | float) -> Any:
        """The reply, or Refused. Raises ServerUnavailable where nobody answers."""
        return self.many([command])[0]

    def many(self, commands: Sequence[Command]) -> list[Any]:
        """A reply or a Refused for each. A refusal spoils no other."""
        replies = []
        for start in range(0, len(commands), PAGE):
            replies += self._page(commands[start : start + PAGE])
        return replies

    def _page(self, commands: Sequence[Command]) -> list[Any]:
        """Who may not run a command is told so once: it is not sent again."""
        asked = [command[0] not in self._denied for command in commands]
        replies = iter(self._sent([command for command, ask in zip(commands, asked, strict=True) if ask]))
        return [next(replies) if ask else Refused("not permitted") for ask in asked]

    def _sent(self, commands: Sequence[Command]) -> list[Any]:
        try:
            return self._face.pipeline(commands) if commands else []
        except ServerUnavailable:
            raise
        except ServerError as error:
            if len(commands) == 1:
                return [self._refused(commands[0], error)]
        # One of them was refused, and the transport tells only the first: halves find it in a few trips.
        half = len(commands) // 2
        return self._page(commands[:half]) + self._page(commands[half:])

    def _refused(self, command: Command, error: ServerError) -> Refused:
        why = one_line(str(error))
        if isinstance(error, NotPermitted):
            self.unread.setdefault(str(command[0]), why)
            if "to run the" in why:  # else it was the key, and others may be read
                self._denied.add(command[0])
        return Refused(why)

    def fields(self, key: bytes, names: Sequence[str]) -> list[str] | None:
        """Some fields of a hash, "" where there is none; None where it cannot be read."""
        return texts(self.one("HMGET", key, *names))

    def pages(self, command: str, key: bytes, bound: float) -> Iterator[list[str]]:
        """The members of a list (LRANGE) or sorted set (ZRANGE), page by page from the left, at most so many.

        From the left, because workers take from the right: nothing that stays is skipped while they do.
        """
        at = 0
        while at < bound:
            last = int(min(at + 4 * PAGE, bound)) - 1
            found = texts(self.one(command, key, at, last)) or []
            yield found
            if len(found) <= last - at:
                return
            at = last + 1

    def members(self, key: bytes, bound: float) -> Iterator[tuple[str, str]]:
        """The fields of a hash with their values, about so many at most."""
        cursor: Any = 0
        seen = 0
        while seen < bound:
            reply = self.one("HSCAN", key, cursor, "COUNT", PAGE)
            if isinstance(reply, Refused):
                return
            cursor, found = reply
            seen += len(found)
            yield from ((text(name), text(value)) for name, value in found.items())
            if int(cursor) == 0:
                return


def texts(reply: Any) -> list[str] | None:
    """A list of bytes as texts, "" for nil; None for a refusal."""
    if isinstance(reply, Refused):
        return None
    return ["" if item is None else text(item) for item in reply]


def number(reply: Any) -> int:
    """A count, 0 for nil or a refusal."""
    return reply if isinstance(reply, int) else 0
