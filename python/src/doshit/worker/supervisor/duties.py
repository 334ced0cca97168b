"""The duties that any worker may do for all: promote what is due, recover what is lost. Redis keeps them rare."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from doshit.commands import cancel, promote, recover
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL, LOSSES
from doshit.worker.supervisor.session import Refused, Session

log = logging.getLogger("doshit.worker")


class Duty(Protocol):
    """Something that is done every so often, by whichever worker comes first."""

    def tick(self, now: float) -> None:
        """Does it if it is time. now: seconds of the monotonic clock."""


class Promoter:
    """Moves due tasks to pending. Runs none of them. on_cancels: ids wait in the cancel list."""

    EVERY = 0.1
    MOST = 500  # ids a queue and call

    def __init__(self, session: Session, keys: Keys, on_cancels: Callable[[], None]) -> None:
        self._session, self._keys, self._on_cancels = session, keys, on_cancels
        self._next, self._asked, self._full = 0.0, False, False

    def tick(self, now: float) -> None:
        if (now >= self._next or self._full) and not self._asked:
            # After a full call more is due already: then the next one is not too early.
            interval = 0 if self._full else int(self.EVERY * 750)
            self._next, self._asked = now + self.EVERY, True
            self._session.call(promote(self._keys, interval_ms=interval, limit=self.MOST), self._heard)

    def _heard(self, reply: list[Any] | Refused) -> None:
        self._asked = self._full = False
        if isinstance(reply, Refused):
            log.warning("promote was refused: %s", reply)
        elif reply[0] == "promoted":
            _, count, due_in, _, cancels = reply
            self._full = count >= self.MOST
            if due_in >= 0:
                self._next = min(self._next, time.monotonic() + due_in / 1000 + 0.001)
            if cancels:
                self._on_cancels()

    def wake_in(self, now: float) -> float:
        """Seconds until the next call."""
        if self._asked:
            return self.EVERY
        return 0.0 if self._full else max(0.0, self._next - now)


class Canceller:
    """Acts on the ids that were pushed to the cancel list. Ends no run: it asks the workers that have them."""

    MOST = 100  # ids a call

    def __init__(self, session: Session, keys: Keys, result_ttl: int) -> None:
        self._session, self._keys, self._result_ttl = session, keys, result_ttl
        self._asked = False

    def look(self) -> None:
        """Takes what waits in the list."""
        if not self._asked:
            self._asked = True
            self._session.call(cancel(self._keys, take=self.MOST, result_ttl=self._result_ttl), self._heard)

    def _heard(self, words: list[str] | Refused) -> None:
        self._asked = False
        if isinstance(words, Refused):
            log.warning("cancel was refused: %s", words)
        elif len(words) >= self.MOST:
            self.look()


class Recoverer:
    """Takes back what dead workers held. Ends nothing that lives."""

    EVERY = 1.0

    def __init__(self, session: Session, keys: Keys, result_ttl: int) -> None:
        self._session, self._keys, self._result_ttl = session, keys, result_ttl
        self._next, self._asked = 0.0, False

    def tick(self, now: float) -> None:
        if now >= self._next and not self._asked:
            self._next, self._asked = now + self.EVERY, True
            call = recover(
                self._keys,
                interval_ms=int(self.EVERY * 750),
                losses=LOSSES,
                result_ttl=self._result_ttl,
                failed_ttl=FAILED_TTL,
            )
            self._session.call(call, self._heard)

    def _heard(self, reply: list[Any] | Refused) -> None:
        self._asked = False
        if isinstance(reply, Refused):
            log.warning("recover was refused: %s", reply)
        elif reply[0] == "amnesty" and any(reply[2:]):
            log.warning("taken back from workers that are gone: %d tasks run again, %d failed as lost", *reply[2:])
        elif reply[0] == "recovered" and any(reply[1:]):
            log.warning(
                "recovered: %d workers gone, %d of their tasks run again, %d failed as lost, %d unclaimed taken back",
                *reply[1:],
            )
