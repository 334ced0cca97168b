"""Keeps the worker's command connection: sends calls, hands out replies, reconnects and sends again.

Every call is safe to send twice (the scripts' promise), so after a lost connection all that was not answered goes out
again. It decides nothing of tasks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from doshit.commands import Call
from doshit.errors import ServerError
from doshit.transport import Link, LinkLost, ReplyError, route_to
from doshit.values.backoff import backoff

log = logging.getLogger("doshit.worker")

Done = Callable[[Any], None]
# Passing states of a server: the call is sent again a little later.
_PASSING = (
    "LOADING",
    "BUSY",
    "TRYAGAIN",
    "ASK",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "UNBLOCKED",
    "MISCONF",
    "NOREPLICAS",
)
_RETRY_AFTER = 0.5
# As long as a lease: by then the others take this worker for dead, and a new connection may come through where the old
# one waits for its next resend.
_DEADLINE = 10.0
_LONGEST_PAUSE = 1.0
_COMPLAIN_EVERY = 30.0


class Refused(ServerError):
    """What Redis said to one call; the connection goes on."""


class Session:
    """One command connection. prefix: the app's, by which its node is found in a cluster.

    heard_at: when (time.monotonic) the server's host last gave a sign of life. That is an answer of any kind, also a
    refused or reset connection, or that it is loading its data. A try to connect that brought nothing is none.
    on_wake is called from another thread when a reconnect has ended; on_up when the connection is there again.
    """

    def __init__(self, url: str, name: str, on_wake: Callable[[], None], prefix: str | None = None) -> None:
        self._route, self._name, self._on_wake = route_to(url, prefix), name, on_wake
        self.link = Link(self._route, name)
        self.heard_at = time.monotonic()
        self._complain_at = 0.0
        self._unanswered: deque[tuple[Call[Any] | Sequence[Any], Done]] = deque()
        self._later: list[tuple[float, Call[Any] | Sequence[Any], Done]] = []
        self._next_link: Link | None = None
        self._connecting: threading.Thread | None = None
        self._tries = 0
        self._quiet_since = 0.0
        self.on_up: Callable[[], None] = lambda: None

    def connect(self) -> None:
        """The first connection, blocking. Raises ServerError."""
        self.link.connect()
        self.heard_at = time.monotonic()

    @property
    def is_up(self) -> bool:
        return self.link.is_open

    @property
    def in_flight(self) -> int:
        return len(self._unanswered)

    def call(self, call: Call[Any] | Sequence[Any], done: Done) -> None:
        """Sends a call (or a plain command that is safe to send twice). done hears its reply, or a Refused."""
        if not self._unanswered:
            self._quiet_since = time.monotonic()
        self._unanswered.append((call, done))
        if self.link.is_open:
            self.link.put(call.evalsha() if isinstance(call, Call) else call)

    def flush(self) -> None:
        """Writes what was put; call it once a turn, so that several calls share a packet."""
        if self.link.wants_write:
            self._guard(self.link.flush)

    def receive(self) -> None:
        """Reads the replies that are there and hands them out."""
        replies = self._guard(self.link.receive)
        if replies:
            self._quiet_since = self.heard_at = time.monotonic()
            for reply in replies:
                call, done = self._unanswered.popleft()
                self._answer(call, done, reply)

    def _answer(self, call: Call[Any] | Sequence[Any], done: Done, reply: Any) -> None:
        if not isinstance(reply, ReplyError):
            done(call.parse(reply) if isinstance(call, Call) else reply)
            return
        words = str(reply)
        if words.startswith("NOSCRIPT") and isinstance(call, Call):
            self._unanswered.append((call, done))
            if self.link.is_open:
                self.link.put(call.eval())
        elif self.link.is_elsewhere(reply):
            self._later.append((time.monotonic() + _RETRY_AFTER, call, done))
            if self.link.is_open:
                self.drop(f"another server has to be found: {words}")
        elif words.startswith(_PASSING):
            self._complain(words)
            self._later.append((time.monotonic() + _RETRY_AFTER, call, done))
        else:
            done(Refused(words))

    def _complain(self, words: str) -> None:
        """Says once a while what keeps the server from answering; calls are repeated until it does."""
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_EVERY
            log.warning("Redis puts calls off, they are sent again: %s", words)

    def _guard(self, io: Callable[[], Any]) -> Any:
        try:
            return io()
        except LinkLost as error:
            if error.answered:
                self.heard_at = time.monotonic()
            self.drop(str(error))
            return None

    def drop(self, why: str) -> None:
        """Gives the connection up; a new one is made in the background."""
        log.warning("lost Redis (%s); reconnecting, runs go on", why)
        self.link.close()

    def tick(self, now: float) -> None:
        """Deadlines, retries, reconnecting: called every turn, cheap when there is nothing to do."""
        if self._next_link is not None:
            self._take_over()
        if not self.link.is_open:
            self._reconnect()
            return
        if self._unanswered and now - self._quiet_since > _DEADLINE:
            self.drop(f"no answer for {_DEADLINE:g} s")
        if self._later:
            due = [entry for entry in self._later if entry[0] <= now]
            self._later = [entry for entry in self._later if entry[0] > now]
            for _, call, done in due:
                self.call(call, done)

    def _reconnect(self) -> None:
        if self._connecting is not None and self._connecting.is_alive():
            return
        self._connecting = threading.Thread(target=self._connect_again, daemon=True)
        self._connecting.start()

    def _connect_again(self) -> None:
        # In a thread of its own because name look-up and TLS block; the loop's thread takes the new Link over.
        time.sleep(backoff(self._tries, 0.05, ceiling=_LONGEST_PAUSE))
        self._tries += 1
        link = Link(self._route, self._name)
        try:
            link.connect()
        except ServerError as error:
            if link.answered:
                self.heard_at = time.monotonic()
            if self._tries in (1, 10) or self._tries % 60 == 0:
                log.warning("%s", error)
        else:
            self._next_link = link
        self._on_wake()

    def _take_over(self) -> None:
        assert self._next_link is not None
        self.link, self._next_link, self._tries = self._next_link, None, 0
        self._quiet_since = self.heard_at = time.monotonic()
        log.info("connected to Redis again; %d calls are sent again", len(self._unanswered))
        for call, _ in self._unanswered:
            self.link.put(call.evalsha() if isinstance(call, Call) else call)
        self.on_up()

    def close(self) -> None:
        self.link.close()
