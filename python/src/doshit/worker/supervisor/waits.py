"""The idle waits: one blocking BLMOVE per queue, each on a connection of its own. Takes nothing itself; hands ids on.

A wait's reply may be lost with its connection; the id then stands in executing with nobody holding it, and recover
brings it back. So a wait is never sent again by itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from doshit.transport import Link, ReplyError
from doshit.values.keys import Keys
from doshit.worker.supervisor.line import Line

log = logging.getLogger("doshit.worker")

BLOCK = 2  # seconds of one BLMOVE: a dead client is not served for longer (half-open TCP)
_DEADLINE = BLOCK + 8.0  # then the connection counts as gone
_PAUSE = 1.0  # after an error


class Wait:
    """The wait of one queue. on_id(queue, id) hears what arrived, on_nothing that nothing came in time."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        queue: str,
        on_id: Callable[[str, bytes], None],
        on_nothing: Callable[[], None],
        on_wake: Callable[[], None],
    ) -> None:
        self.queue = queue
        self._line = Line(url, "doshit-wait", ("CLIENT", "ID"), on_wake, keys.prefix)
        self._command = ("BLMOVE", keys.pending(queue), keys.executing(queue), "RIGHT", "LEFT", BLOCK)
        self._on_id, self._on_nothing = on_id, on_nothing
        self._client_id: int | None = None
        self._asked = 0.0
        self._not_before = 0.0
        self._unblocking = False
        self.armed = False

    @property
    def link(self) -> Link:
        return self._line.link

    def arm(self, now: float) -> None:
        """Begins to wait, if it can."""
        if self.armed or now < self._not_before or not self._line.ready(now) or self._client_id is None:
            return
        if self._line.send(self._command):
            self.armed, self._asked, self._unblocking = True, now, False
        else:
            self._forget()

    def unblock(self) -> tuple[str, str, int] | None:
        """The command that ends this wait early, for another connection; its own reply still comes."""
        if not self.armed or self._unblocking or self._client_id is None:
            return None
        self._unblocking = True
        return ("CLIENT", "UNBLOCK", self._client_id)

    def receive(self) -> None:
        """Reads its reply: an id, or nothing in time."""
        replies = self._line.receive()
        if replies is None:
            self._forget()
        for reply in replies or ():
            if self._client_id is None:
                self._client_id = reply if isinstance(reply, int) else 0
            else:
                self._take(reply)

    def _take(self, reply: Any) -> None:
        self.armed = False
        if isinstance(reply, ReplyError):
            log.warning("waiting on queue %s: %s", self.queue, reply)
            self._not_before = time.monotonic() + _PAUSE
            self._on_nothing()
            if not str(reply).startswith("WRONGTYPE"):
                self._forget()
        elif reply is None:
            self._on_nothing()
        else:
            self._on_id(self.queue, reply)

    def tick(self, now: float) -> None:
        """Gives a connection up that should have answered long ago, to its greeting or to a wait."""
        is_greeting = self._line.link.is_open and self._client_id is None
        asked = self._line.opened_at if is_greeting else self._asked
        if (is_greeting or self.armed) and now - asked > _DEADLINE:
            log.warning("no answer to the wait on queue %s for %g s; connecting again", self.queue, _DEADLINE)
            self._forget()

    def _forget(self) -> None:
        self._line.hang_up()
        self.armed, self._client_id = False, None

    def close(self) -> None:
        self._forget()
