"""Compares what Redis says this worker holds with what it knows, and gives back what it does not know. Runs nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from doshit.commands import release
from doshit.values.keys import Keys
from doshit.worker.supervisor.session import Refused, Session

log = logging.getLogger("doshit.worker")

_TWICE = 2  # beats in a row that must disagree: one may have met a call on its way


class Auditor:
    """known: the ids this worker knows to hold; quiet: nothing is on its way that would change them.

    coming: may the reply with this claim be on its way all the same? That of a wait always may.
    """

    def __init__(
        self,
        session: Session,
        keys: Keys,
        worker: Callable[[], str],
        known: Callable[[], set[bytes]],
        quiet: Callable[[], bool],
        coming: Callable[[bytes], bool],
    ) -> None:
        self._session, self._keys, self._worker = session, keys, worker
        self._known, self._quiet, self._coming = known, quiet, coming
        self._strange = 0
        # The claims that the look before found strange: what ended just then is not strange twice.
        self._suspected: set[bytes] = set()

    def compare(self, held: int) -> None:
        """Takes what a beat answered: how many tasks Redis says this worker holds."""
        differs = self._quiet() and held > len(self._known())
        self._strange = self._strange + 1 if differs else 0
        if self._strange >= _TWICE:
            self._strange = 0
            self._session.call(("HGETALL", self._keys.held(self._worker())), self._give_back)

    def _give_back(self, reply: list[bytes] | Refused) -> None:
        if isinstance(reply, Refused) or not self._quiet():
            return
        known = self._known()
        held = [(id, value.split(b" ", 1)[0]) for id, value in zip(reply[::2], reply[1::2], strict=True)]
        unknown = [(id, claim) for id, claim in held if id not in known and not self._coming(claim)]
        strange = [(id, claim, "", False) for id, claim in unknown if claim in self._suspected]
        self._suspected = {claim for _, claim in unknown}
        if strange:
            log.warning("%d tasks are held in this worker's name that it does not know; they go back", len(strange))
            self._session.call(release(self._keys, self._worker(), strange), lambda words: None)
