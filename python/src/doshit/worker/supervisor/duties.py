"""The duties that any worker may do for all: promote what is due, recover what is lost. Redis keeps them rare."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from doshit.commands import promote, recover
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL, LOSSES
from doshit.worker.supervisor.session import Refused, Session

log = logging.getLogger("doshit.worker")


class Duty(Protocol):
    """Something that is done every so often, by whichever worker comes first."""

    def tick(self, now: float) -> None:
        """Does it if it is time. now: seconds of the monotonic clock."""


class Promoter:
    """Moves due tasks to pending. Runs none of them."""

    EVERY = 0.2

    def __init__(self, session: Session, keys: Keys) -> None:
        self._session, self._keys = session, keys
        self._next, self._asked = 0.0, False

    def tick(self, now: float) -> None:
        if now >= self._next and not self._asked:
            self._next, self._asked = now + self.EVERY, True
            self._session.call(promote(self._keys, interval_ms=int(self.EVERY * 750)), self._heard)

    def _heard(self, reply: list[Any] | Refused) -> None:
        self._asked = False
        if isinstance(reply, Refused):
            log.warning("promote was refused: %s", reply)


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
        elif reply[0] == "recovered" and any(reply[1:]):
            log.warning(
                "recovered: %d workers gone, %d of their tasks run again, %d failed as lost, %d unclaimed taken back",
                *reply[1:],
            )
