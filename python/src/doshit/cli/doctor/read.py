"""Reads all that the doctor judges, with plain commands and within bounds. Writes nothing, decides nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from doshit.cli.doctor.facts import Clock, Facts, Queue, Worker, WrongType
from doshit.cli.doctor.reader import Reader, Refused, number, texts
from doshit.cli.doctor.scan import KEYS_READ, TASKS_READ, Walk, walk
from doshit.cli.doctor.schema import Schema
from doshit.cli.doctor.standing import ENTRIES_READ, Places, Standing
from doshit.cli.doctor.suspects import Suspects
from doshit.cli.look import QUEUES_READ, WORKERS_READ, raw
from doshit.commands.calls import text
from doshit.errors import ConfigurationError
from doshit.transport import SyncFace
from doshit.values.keys import Keys
from doshit.values.names import check_queue

SETTINGS = ("maxmemory", "appendfsync", "save", "hash-max-listpack-value", "hash-max-ziplist-value")
SECOND_LOOK = 1.0
"""Seconds between two looks: a producer may stand between its HSET and its LPUSH, a task between two places."""

SUSPECTS = 1000
SUSPECTS_WHERE_CUT = 20
"""How many are looked at twice. Few where a list is longer than what was read: each search goes through all of it."""

SAMPLE = 200
OVERDUE = 60.0
"""Seconds past its time after which a scheduled entry is stuck."""

_LISTS = ("pending", "arrived", "executing", "quarantine")
_SETS = ("scheduled", "waiting", "unclaimed", "parked", "failed")
_SINGLES = ("workers", "queues", "duties", "protocol", "cancel", "cutoffs")


class Look:
    """One look at one app. deep: without bounds."""

    def __init__(self, face: SyncFace, keys: Keys, queue: str, deep: bool) -> None:
        self._reader, self._keys, self._deep, self._queue = Reader(face), keys, deep, queue
        self._schema = Schema(keys.prefix)
        self._places = Places(self._reader, keys, self._schema, float("inf") if deep else ENTRIES_READ)
        self._cut: list[str] = []

    def facts(self) -> Facts:
        """All facts. Raises ServerUnavailable where nobody answers."""
        clock, began = self._clock(), time.monotonic()
        now = time.time() + (clock.ahead or 0.0)
        found = walk(self._reader, self._keys, self._schema, self._deep)
        if not found.whole and "SCAN" not in self._reader.unread:
            bounds = f"bounds: {TASKS_READ} tasks, {KEYS_READ} keys"
            self._cut.append(f"only the first {found.tasks} tasks were looked at ({bounds})")
        workers = self._workers(found.holders)
        listed = self._listed()
        names = self._queue_names(found, listed, workers)
        wrong = {**found.wrong, **self._wrong(names)}
        standing = self._places.standing(names, found.holders | {worker.id for worker in workers})
        doubts = self._doubts(found, standing, names, {worker.id for worker in workers})
        return Facts(
            prefix=self._keys.prefix,
            now=now,
            info=self._mapping("INFO"),
            settings=self._settings(),
            protocol=self._text("GET", self._keys.protocol),
            duties={text(k): text(v) for k, v in self._mapping("HGETALL", self._keys.duties).items()},
            workers=tuple(workers),
            strangers=tuple(sorted(found.workers - {worker.id for worker in workers})),
            catalogs=self._catalogs(workers, now),
            queues=tuple(self._queue_facts(name, name in listed, now) for name in names),
            wrong=tuple(sorted(wrong.values())),
            large=found.large,
            clock=self._jumped(clock, now, began),
            **doubts,
            cut=tuple(self._cut),
            unread=dict(self._reader.unread),
        )

    # The server

    def _clock(self) -> Clock:
        before = time.time()
        reply = self._reader.one("TIME")
        after = time.time()
        if isinstance(reply, Refused):
            return Clock()
        return Clock(_seconds(reply) - (before + after) / 2, (after - before) / 2)

    def _jumped(self, clock: Clock, now: float, began: float) -> Clock:
        reply = self._reader.one("TIME")
        if clock.ahead is None or isinstance(reply, Refused):
            return clock
        return Clock(clock.ahead, clock.slack, _seconds(reply) - now - (time.monotonic() - began))

    def _mapping(self, *command: str) -> Mapping[Any, Any]:
        reply = self._reader.one(*command)
        return reply if isinstance(reply, dict) else {}

    def _text(self, *command: str) -> str:
        reply = self._reader.one(*command)
        return text(reply) if isinstance(reply, bytes) else ""

    def _settings(self) -> dict[str, str]:
        replies = self._reader.many([("CONFIG GET", name) for name in SETTINGS])
        return {text(k): text(v) for reply in replies if isinstance(reply, dict) for k, v in reply.items()}

    # Workers and what they serve

    def _workers(self, holders: Iterable[str]) -> list[Worker]:
        flat = texts(self._reader.one("ZRANGE", self._keys.workers, 0, WORKERS_READ - 1, "WITHSCORES")) or []
        leases = dict(zip(flat[::2], map(float, flat[1::2]), strict=True))
        abouts = self._reader.many([("HMGET", raw(self._keys.worker(id)), "queues", "catalog") for id in leases])
        held = self._reader.many([("HLEN", raw(self._keys.held(id))) for id in leases])
        return [_worker(*it) for it in zip(leases.items(), abouts, held, strict=True)]

    def _catalogs(self, workers: Iterable[Worker], now: float) -> dict[str, dict[str, str]]:
        shas = {worker.catalog for worker in workers if worker.catalog and worker.lease >= now * 1000}
        return {sha: dict(self._reader.members(raw(self._keys.catalog(sha)), float("inf"))) for sha in sorted(shas)}

    # Queues

    def _listed(self) -> set[str]:
        reply = self._reader.one("SMEMBERS", self._keys.queues)
        return set() if isinstance(reply, Refused) else {text(name) for name in reply}

    def _queue_names(self, found: Walk, listed: set[str], workers: Iterable[Worker]) -> list[str]:
        served = {name for worker in workers for name in worker.queues}
        names = sorted(name for name in listed | served | found.queues | {self._queue} if _is_queue(name))
        if len(names) > QUEUES_READ and not self._deep:
            self._cut.append(f"only {QUEUES_READ} of {len(names)} queues were looked at")
            return names[:QUEUES_READ]
        return names

    def _wrong(self, queues: Sequence[str]) -> dict[str, WrongType]:
        """Keys of a wrong type, also where a walk was cut short or is not permitted."""
        asked = {self._schema.key(kind, queue=queue): kind for queue in queues for kind in (*_LISTS, *_SETS)}
        asked |= {self._schema.key(name): name for name in _SINGLES if self._schema.has(name)}
        types = self._reader.many([("TYPE", key) for key in asked])
        rows = [WrongType(key, self._schema.type(asked[key]), _type(it)) for key, it in zip(asked, types, strict=True)]
        return {row.key: row for row in rows if row.actual not in ("none", row.expected)}

    def _queue_facts(self, name: str, listed: bool, now: float) -> Queue:
        keys, late = self._keys, int((now - OVERDUE) * 1000)
        lists = {"pending": keys.pending(name), "arrived": keys.arrived(name)}
        lists |= {"executing": keys.executing(name), "quarantine": keys.quarantine(name)}
        sets = {"scheduled": keys.scheduled(name), "failed": keys.failed(name)}
        commands = [*(("LLEN", key) for key in lists.values()), *(("ZCARD", key) for key in sets.values())]
        lengths = map(number, self._reader.many(commands))
        functions, ended = self._next_tasks(name)
        failed = self._ids("ZREVRANGE", keys.failed(name), 0, SAMPLE - 1)
        return Queue(
            name,
            listed,
            lengths=dict(zip([*lists, *sets], lengths, strict=True)),
            overdue=self._ids("ZRANGEBYSCORE", keys.scheduled(name), "-inf", late, "LIMIT", 0, SAMPLE),
            overdue_count=number(self._reader.one("ZCOUNT", keys.scheduled(name), "-inf", late)),
            functions=functions,
            ended=ended,
            quarantine=self._ids("LRANGE", keys.quarantine(name), 0, SAMPLE - 1),
            failed=failed,
            failures=self._failures(failed),
        )

    def _ids(self, *command: bytes | str | float) -> tuple[str, ...]:
        return tuple(texts(self._reader.one(*command)) or ())

    def _next_tasks(self, queue: str) -> tuple[dict[str, tuple[str, ...]], int]:
        """The functions of the next tasks of a queue and of its parked ones; how many of the next have ended."""
        lists = (self._keys.pending(queue), self._keys.arrived(queue))
        ids = [id for key in lists for id in self._ids("LRANGE", key, -SAMPLE, -1)]
        waiting = len(ids)
        for key in self._places.parked(queue):
            ids += self._ids("LRANGE", raw(key), 0, SAMPLE - 1)
        looks = self._reader.many([("HMGET", raw(self._keys.task(id)), "function", "state") for id in ids])
        found: dict[str, tuple[str, ...]] = {}
        for id, look in zip(ids, looks, strict=True):
            function, state = texts(look) or ("", "")
            if function and state in ("", "pending"):
                found[function] = (*found.get(function, ()), id)
        return found, sum((texts(look) or ("", ""))[1] == "finished" for look in looks[:waiting])

    def _failures(self, ids: Sequence[str]) -> dict[str, int]:
        codes = self._reader.many([("HGET", raw(self._keys.task(id)), "error-code") for id in ids])
        return dict(Counter(text(code) for code in codes if isinstance(code, bytes)).most_common())

    # What may be in motion: looked at twice

    def _doubts(self, found: Walk, standing: Standing, queues: Sequence[str], workers: set[str]) -> dict[str, Any]:
        suspects = Suspects(self._reader, self._keys, self._places, self._bound(standing), self._deep)
        first, strays = suspects.first(found, standing), found.holders - workers
        if any(first) or strays:
            time.sleep(SECOND_LOOK)
        self._cut += suspects.cut
        doubts = suspects.second(first, queues, found.holders | workers)
        return {**doubts._asdict(), "unhashed": tuple(doubts.unhashed), "strays": self._strays(strays)}

    def _bound(self, standing: Standing) -> int:
        return 10**9 if self._deep else SUSPECTS_WHERE_CUT if standing.cut else SUSPECTS

    def _strays(self, workers: Iterable[str]) -> dict[str, int]:
        found = {}
        for worker in workers:
            score = self._reader.one("ZSCORE", self._keys.workers, raw(worker))
            held = number(self._reader.one("HLEN", raw(self._keys.held(worker))))
            if score is None and held:
                found[worker] = held
        return found


def _seconds(reply: Sequence[Any]) -> float:
    return int(reply[0]) + int(reply[1]) / 1e6


def _worker(row: tuple[str, float], about: Any, held: Any) -> Worker:
    queues, catalog = texts(about) or ("", "")
    names = tuple(queues.split(",")) if queues else ()
    return Worker(row[0], row[1], names, catalog, held if isinstance(held, int) else None)


def _type(reply: Any) -> str:
    return "none" if isinstance(reply, Refused) else text(reply)


def _is_queue(name: str) -> bool:
    try:
        return bool(check_queue(name))
    except ConfigurationError:
        return False
