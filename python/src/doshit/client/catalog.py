"""Checks a call by what live workers say of its function, before it is pushed. Where nobody says anything, it passes.

Sends nothing: looking is a plan, which the blocking side or the event loop follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from time import monotonic
from typing import Any, NamedTuple

from doshit.client.job import Job
from doshit.client.plans import Plan
from doshit.client.submission import raw
from doshit.commands.calls import text
from doshit.errors import BadArguments, NotPermitted, ServerError, ServerUnavailable
from doshit.values import codec
from doshit.values.catalog import read_entry
from doshit.values.keys import Keys
from doshit.values.schema import Fault, fault_of

FRESH = 5.0
"""Seconds after which a function is looked up again."""
_MOST_NAMES = 1000
_MOST_WORKERS = "1000"
_FIRST_STEP = re.compile(r"\.([^.\[]+)")


class _Known(NamedTuple):
    """schemas: of the parameters of one function, one for each signature that a live worker has."""

    schemas: tuple[Any, ...]
    at: float


class Catalog:
    """What one side of a client knows of its functions. Threads may share it."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[str, _Known] = {}
        self._is_denied = False

    def check(self, jobs: Iterable[Job[Any]]) -> Plan[None]:
        """Raises BadArguments for the first job that no worker of its function would take.

        Asks only for functions that were not looked up within seconds. Raises ServerUnavailable where nobody answers,
        and no other error of the server: who may not read the catalog is not checked, and does not ask again.
        """
        for job in jobs:
            if job.is_bound or self._is_denied:
                continue
            known = self._known.get(job.function)
            if known is None or monotonic() - known.at > FRESH:
                known = yield from self._look(job.function, known)
            _judge(job, known.schemas)

    def _look(self, name: str, old: _Known | None) -> Plan[_Known]:
        # Told first, so that others who come meanwhile go by what was known and do not all ask.
        if old is not None:
            self._known[name] = old._replace(at=monotonic())
        try:
            schemas = yield from self._schemas(raw(name))
        except ServerUnavailable:
            raise
        except NotPermitted:
            self._is_denied, schemas = True, ()
        except ServerError:
            schemas = ()
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        found = self._known[name] = _Known(schemas, monotonic())
        return found

    def _schemas(self, name: bytes) -> Plan[tuple[Any, ...]]:
        keys = self._keys
        # A sealed worker stands below 0. One whose lease has just ended may be judged by for as long as its hash lives.
        live = (yield [("ZRANGEBYSCORE", keys.workers, "0", "+inf", "LIMIT", "0", _MOST_WORKERS)])[0]
        if not live:
            return ()
        named = yield [("HGET", raw(keys.worker(text(worker))), "catalog") for worker in live]
        shas = list(dict.fromkeys(sha for sha in named if sha))
        if not shas:
            return ()
        entries = yield [("HGET", raw(keys.catalog(text(sha))), name) for sha in shas]
        return tuple(read_entry(entry).parameters for entry in entries if entry is not None)


def _judge(job: Job[Any], schemas: tuple[Any, ...]) -> None:
    if not schemas:
        return
    args = codec.decode_value(job.args)
    first: Fault | None = None
    for schema in schemas:
        fault = fault_of(schema, args)
        if fault is None:
            return
        first = first or fault
    assert first is not None, "there was a schema, and it passed nothing"
    step = _FIRST_STEP.match(first.path)
    reason = f"args{codec.one_line(first.path)}: {codec.one_line(first.reason)}"
    raise BadArguments(reason, job.function, step[1] if step else None)
