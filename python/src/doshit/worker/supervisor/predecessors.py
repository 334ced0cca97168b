"""Finds workers of this host whose process is gone, when a worker starts: their tasks need not wait for the lease."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from doshit.commands import seal
from doshit.commands.calls import text
from doshit.values.keys import Keys
from doshit.worker.process import boot, pid_namespace, started
from doshit.worker.supervisor.session import Refused, Session

log = logging.getLogger("doshit.worker")

_LOOKED_AT = 1000  # workers
_BACK_WITHIN = 3.0  # seconds until recover has taken back what they held and promote has brought it to its queue
_ABOUT = ("boot", "pidns", "pid", "born")


class Predecessors:
    """One look at the workers there are."""

    def __init__(self, session: Session, keys: Keys) -> None:
        self._session, self._keys = session, keys
        self._here = (boot(), pid_namespace())
        self._unanswered, self._back_by = 0, 0.0

    def look(self) -> None:
        """Asks who is registered. A pid says something only within one boot of a kernel, and one pid namespace."""
        if all(self._here):
            self._unanswered = 1
            self._session.call(("ZRANGEBYSCORE", self._keys.workers, "(-1", "+inf", "LIMIT", 0, _LOOKED_AT), self._ask)

    def are_back(self, now: float) -> bool:
        """Has every worker been looked at, and are the tasks of those that are gone in their queues again?"""
        return not self._unanswered and now >= self._back_by

    def _ask(self, workers: Sequence[bytes] | Refused) -> None:
        found = () if isinstance(workers, Refused) else workers
        self._unanswered = len(found)
        for worker in found:
            name = text(worker)
            self._session.call(("HMGET", self._keys.worker(name), *_ABOUT), partial(self._judge, name))

    def _judge(self, worker: str, about: Sequence[bytes | None] | Refused) -> None:
        self._unanswered -= 1
        if isinstance(about, Refused) or None in about:
            return
        kernel, namespace, pid, born = (text(each or b"") for each in about)
        if (kernel, namespace) == self._here and pid.isdecimal() and born and _is_gone(int(pid), born):
            log.warning("worker %s of this host is gone; its tasks are taken back now", worker)
            self._back_by = time.monotonic() + _BACK_WITHIN
            self._session.call(seal(self._keys, [worker]), _heard)


def _is_gone(pid: int, born: str) -> bool:
    """Whether the process with this pid and start has ended. One that may not be looked at counts as living."""
    now = started(pid)
    if now:
        return now != born or _is_zombie(pid)
    try:
        os.kill(pid, 0)  # /proc hides the processes of others where it is mounted so (proc(5), hidepid)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and its parent has not asked how (proc(5), stat field 3)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False


def _heard(words: Any) -> None:
    if isinstance(words, Refused):
        log.warning("seal was refused: %s", words)
