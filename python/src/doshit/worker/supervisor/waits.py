"""The idle waits: one blocking BLMOVE per queue, each on a connection of its own. Takes nothing itself; hands ids on.

A wait's reply may be lost with its connection; the id then stands in executing with nobody holding it, and recover
brings it back. So a wait is never sent again by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import hiredis

from doshit.errors import ServerError
from doshit.transport import Link, LinkLost
from doshit.values.keys import Keys

log = logging.getLogger("doshit.worker")

BLOCK = 2  # seconds of one BLMOVE: a dead client is not served for longer (half-open TCP)
_DEADLINE = BLOCK + 8.0  # then the connection counts as gone
_PAUSE = 1.0  # after an error


class Wait:
    """The wait of one queue. on_id(queue, id) hears what arrived."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        queue: str,
        on_id: Callable[[str, bytes], None],
        on_wake: Callable[[], None],
    ) -> None:
        self.queue = queue
        self._link = Link(url, "doshit-wait")
        self._command = (
            "BLMOVE",
            keys.pending(queue),
            keys.executing(queue),
            "RIGHT",
            "LEFT",
            BLOCK,
        )
        self._on_id, self._on_wake = on_id, on_wake
        self._client_id: int | None = None
        self._connecting: threading.Thread | None = None
        self._asked = 0.0
        self._not_before = 0.0
        self.armed = False
        self._unblocking = False

    @property
    def is_open(self) -> bool:
        return self._link.is_open and self._client_id is not None

    def fileno(self) -> int:
        return self._link.fileno()

    def connect(self) -> None:
        """Makes the connection, in a thread of its own: it may block."""
        if self._connecting is None or not self._connecting.is_alive():
            self._connecting = threading.Thread(target=self._connect, daemon=True)
            self._connecting.start()

    def _connect(self) -> None:
        time.sleep(max(0.0, min(_PAUSE, self._not_before - time.monotonic())))
        try:
            self._link.connect()
            self._link.send(("CLIENT", "ID"))
        except (ServerError, LinkLost):
            self._not_before = time.monotonic() + _PAUSE
            self._link.close()
        self._on_wake()

    def arm(self, now: float) -> None:
        """Begins to wait, if it can."""
        if self.armed or now < self._not_before:
            return
        if not self._link.is_open:
            self.connect()
            return
        if self._client_id is None:
            return
        try:
            self._link.send(self._command)
        except LinkLost:
            return
        self.armed, self._asked, self._unblocking = True, now, False

    def unblock(self) -> tuple[str, str, int] | None:
        """The command that ends this wait early, for another connection; its own reply still comes."""
        if not self.armed or self._unblocking or self._client_id is None:
            return None
        self._unblocking = True
        return ("CLIENT", "UNBLOCK", self._client_id)

    def receive(self) -> None:
        """Reads its reply: an id, or nothing in time."""
        try:
            replies = self._link.receive()
        except LinkLost:
            self._forget()
            return
        for reply in replies:
            if self._client_id is None:
                self._client_id = reply if isinstance(reply, int) else 0
            else:
                self._take(reply)

    def _take(self, reply: Any) -> None:
        self.armed = False
        if isinstance(reply, hiredis.ReplyError):
            log.warning("waiting on queue %s: %s", self.queue, reply)
            self._not_before = time.monotonic() + _PAUSE
            if not str(reply).startswith("WRONGTYPE"):
                self._link.close()
                self._client_id = None
        elif reply is not None:
            self._on_id(self.queue, reply)

    def tick(self, now: float) -> None:
        """Gives a wait up that should have been answered long ago."""
        if self.armed and now - self._asked > _DEADLINE:
            log.warning(
                "no answer to the wait on queue %s for %g s; connecting again",
                self.queue,
                _DEADLINE,
            )
            self._link.close()
            self._forget()

    def _forget(self) -> None:
        self.armed, self._client_id = False, None

    def close(self) -> None:
        self._link.close()
        self._forget()
