"""Listens to {app}:cmd, where workers are told that something is worth a look. Never the only carrier of a fact."""

from __future__ import annotations

from collections.abc import Callable

from doshit.transport import Link
from doshit.values.keys import Keys
from doshit.worker.supervisor.line import Line


class Hints:
    """on_hint hears each message: a verb, a blank, and what it is about (`parked default`)."""

    def __init__(self, url: str, keys: Keys, on_hint: Callable[[bytes], None], on_wake: Callable[[], None]) -> None:
        self._line = Line(url, "doshit-hints", ("SUBSCRIBE", keys.cmd), on_wake, keys.prefix)
        self._on_hint = on_hint

    @property
    def link(self) -> Link:
        return self._line.link

    def tick(self, now: float) -> None:
        """Connects when it must. now: seconds of the monotonic clock."""
        self._line.ready(now)

    def receive(self) -> None:
        """Reads what has been said."""
        replies = self._line.receive()
        if replies is None:
            self._line.hang_up()
        for reply in replies or ():
            if isinstance(reply, list) and reply[0] == b"message":
                self._on_hint(reply[2])

    def close(self) -> None:
        self._line.hang_up()
