"""A connection that makes itself in the background and says when it is there. Knows nothing of what is said over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from doshit.errors import ServerError
from doshit.transport import Link, LinkLost, ReplyError, route_to

_PAUSE = 1.0  # seconds after a failure


class Line:
    """greeting: the command it begins with. prefix: the app's, by which its node is found in a cluster.

    on_wake is called from another thread when a try to connect has ended.
    """

    def __init__(
        self, url: str, name: str, greeting: Sequence[str], on_wake: Callable[[], None], prefix: str | None = None
    ) -> None:
        self.link = Link(route_to(url, prefix), name)
        self._greeting, self._on_wake = greeting, on_wake
        self._connecting: threading.Thread | None = None
        self._not_before = 0.0

    def ready(self, now: float) -> bool:
        """Is it open? If not, it begins to connect."""
        if self._connecting is not None and self._connecting.is_alive():
            return False
        if self.link.is_open:
            return True
        if now >= self._not_before:
            self._not_before = now + _PAUSE
            self._connecting = threading.Thread(target=self._connect, daemon=True)
            self._connecting.start()
        return False

    def _connect(self) -> None:
        # In a thread: name look-up, TCP and TLS block.
        try:
            self.link.connect()
            self.link.send(self._greeting)
        except (ServerError, LinkLost):
            self.link.close()
        self._on_wake()

    def send(self, command: Sequence[str | int]) -> bool:
        """False: the connection is lost."""
        try:
            self.link.send(command)
        except LinkLost:
            return False
        return True

    def receive(self) -> list[Any] | None:
        """The replies that are there; None: the connection is lost, or another server has to be found."""
        try:
            replies = self.link.receive()
        except LinkLost:
            return None
        return (
            None
            if any(isinstance(reply, ReplyError) and self.link.is_elsewhere(reply) for reply in replies)
            else replies
        )

    def hang_up(self, pause: float = 0.0) -> None:
        """Closes it; ready() connects again, not before so many seconds."""
        self.link.close()
        self._not_before = max(self._not_before, time.monotonic() + pause)
