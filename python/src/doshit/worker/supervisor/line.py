"""A connection that makes itself in the background and says when it is there. Knows nothing of what is said over it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from doshit.errors import ServerError
from doshit.transport import Link, LinkLost, ReplyError, route_to

_PAUSE = 1.0  # seconds after a failure


class Line:
    """greeting: the command it begins with. prefix: the app's, by which its node is found in a cluster.

    on_wake is called from another thread when a try to connect has ended. opened_at: when ready() took over the
    connection there is, on the clock of its argument.
    """

    def __init__(
        self, url: str, name: str, greeting: Sequence[str], on_wake: Callable[[], None], prefix: str | None = None
    ) -> None:
        self._route, self._name = route_to(url, prefix), name
        self.link = Link(self._route, name)
        self.opened_at = 0.0
        self._greeting, self._on_wake = greeting, on_wake
        self._made: Link | None = None
        self._connecting: threading.Thread | None = None
        self._not_before = 0.0

    def ready(self, now: float) -> bool:
        """Is it open? If not, it begins to connect."""
        if self.link.is_open:
            return True
        if self._made is not None:
            self._take_over(self._made, now)
            return self.link.is_open
        if now >= self._not_before and not (self._connecting is not None and self._connecting.is_alive()):
            self._not_before = now + _PAUSE
            self._connecting = threading.Thread(target=self._connect, daemon=True)
            self._connecting.start()
        return False

    def _connect(self) -> None:
        # In a thread: name look-up, TCP and TLS block. The loop sees the connection when this thread is through with
        # it: OpenSSL forbids two threads at one connection, and with TLS 1.3 the server speaks first.
        link = Link(self._route, self._name)
        with contextlib.suppress(ServerError):
            link.connect()
            self._made = link
        self._on_wake()

    def _take_over(self, made: Link, now: float) -> None:
        self.link, self._made, self.opened_at = made, None, now
        self.send(self._greeting)

    def send(self, *commands: Sequence[bytes | str | int | float]) -> bool:
        """False: the connection is lost."""
        try:
            self.link.send(*commands)
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
