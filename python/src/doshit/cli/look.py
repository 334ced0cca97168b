"""Reads what `status` shows, with plain commands, bounded however much is there. Writes nothing, prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from doshit.commands.calls import text
from doshit.errors import ConfigurationError, ServerError, ServerUnavailable
from doshit.transport import SyncFace
from doshit.values.keys import Keys
from doshit.values.names import check_queue
from doshit.values.times import parse_timestamp

QUEUES_READ = 500
WORKERS_READ = 200
RUNS_READ = 20
"""Of each worker. One with more says how many it holds."""


@dataclass(frozen=True)
class Queue:
    """One queue: how many ids each key holds, the age of the oldest pending one (s), what Redis refused to tell.

    pending: with those that a wait has taken off the list, and that no claim has met yet.
    """

    name: str
    pending: int = 0
    executing: int = 0
    scheduled: int = 0
    failed: int = 0
    quarantine: int = 0
    oldest: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Run:
    """A task that a worker holds. seconds: since the worker claimed it, None where that is unknown."""

    id: str
    function: str
    queue: str
    seconds: float | None


@dataclass(frozen=True)
class Worker:
    """A worker whose lease is not over: what it says of itself, how many tasks it holds, and some of them."""

    id: str
    host: str
    pid: str
    uptime: float | None
    queues: tuple[str, ...]
    concurrency: str
    language: str
    version: str
    held: int = 0
    runs: list[Run] = field(default_factory=list)


_ABOUT = ("host", "pid", "started", "queues", "concurrency", "language", "version")


def raw(name: str) -> bytes:
    """A name as the bytes it came from: ids and names are any bytes, and a client library would refuse some as text."""
    return name.encode("utf-8", "surrogateescape")


def redis_now(face: SyncFace) -> float:
    """The clock of Redis, seconds since 1970: leases and ages are counted in it."""
    seconds, microseconds = face.command("TIME")
    return int(seconds) + int(microseconds) / 1e6


def live_workers(face: SyncFace, keys: Keys, now: float) -> list[Worker]:
    """The workers that are alive now, by id, without what they run."""
    alive = face.command("ZRANGEBYSCORE", keys.workers, int(now * 1000), "+inf", "LIMIT", 0, WORKERS_READ)
    ids = sorted(text(id) for id in alive)
    abouts = face.pipeline([("HMGET", raw(keys.worker(id)), *_ABOUT) for id in ids]) if ids else []
    return [_worker(id, about, now) for id, about in zip(ids, abouts, strict=True)]


def _worker(id: str, about: list[bytes | None], now: float) -> Worker:
    host, pid, started, queues, concurrency, language, version = ("" if it is None else text(it) for it in about)
    serves = tuple(queues.split(",")) if queues else ()
    return Worker(id, host, pid, since(started, now), serves, concurrency, language, version)


def since(timestamp: str, now: float) -> float | None:
    """Seconds from a timestamp of the protocol to now; None where it is none."""
    try:
        return now - parse_timestamp(timestamp).timestamp()
    except ValueError:
        return None


def with_runs(face: SyncFace, keys: Keys, workers: list[Worker], now: float) -> list[Worker]:
    """The same workers, with what they hold."""
    return [_with_runs(face, keys, worker, now) for worker in workers]


def _with_runs(face: SyncFace, keys: Keys, worker: Worker, now: float) -> Worker:
    key = raw(keys.held(worker.id))
    # HSCAN may answer more than its COUNT, never a hash of thousands at once as HGETALL does.
    held, (_, some) = face.pipeline([("HLEN", key), ("HSCAN", key, 0, "COUNT", RUNS_READ)])
    pairs = list(islice(some.items(), RUNS_READ))
    looks = [("HMGET", raw(keys.task(text(id))), "function", "executing-created") for id, _ in pairs]
    tasks = face.pipeline(looks) if looks else []
    runs = [_run(text(id), text(value), task, now) for (id, value), task in zip(pairs, tasks, strict=True)]
    return replace(worker, held=held, runs=sorted(runs, key=lambda run: -(run.seconds or 0.0)))


def _run(id: str, held: str, task: list[bytes | None], now: float) -> Run:
    function, started = ("" if value is None else text(value) for value in task)
    return Run(id, function, held.partition(" ")[2], since(started, now))


def queue_names(face: SyncFace, keys: Keys, more: Iterable[str]) -> list[str]:
    """The queues seen so far and some more, sorted; at most 500 and those."""
    found: set[bytes] = set()
    cursor: Any = 0
    while True:
        cursor, names = face.command("SSCAN", keys.queues, cursor, "COUNT", 100)
        found.update(names)
        if int(cursor) == 0 or len(found) >= QUEUES_READ:
            break
    named = {*(text(name) for name in islice(found, QUEUES_READ)), *more}
    return sorted(name for name in named if _is_queue(name))


def _is_queue(name: str) -> bool:
    """Names that can be no queue (a stranger may write to the set too) would read keys of something else."""
    try:
        return bool(check_queue(name))
    except ConfigurationError:
        return False


def queue(face: SyncFace, keys: Keys, name: str, now: float) -> Queue:
    """One queue. A key of a wrong type is this queue's problem, told in it, and no other's."""
    commands: list[tuple[str | int, ...]] = [
        ("LLEN", keys.arrived(name)),
        ("LLEN", keys.pending(name)),
        ("LLEN", keys.executing(name)),
        ("ZCARD", keys.scheduled(name)),
        ("ZCARD", keys.failed(name)),
        ("LLEN", keys.quarantine(name)),
        ("LINDEX", keys.arrived(name), -1),
        ("LINDEX", keys.pending(name), -1),
    ]
    try:
        arrived, pending, executing, scheduled, failed, quarantine, *next_ids = face.pipeline(commands)
    except ServerUnavailable:
        raise
    except ServerError as error:
        return Queue(name, problem=str(error))
    oldest = next((id for id in next_ids if id is not None), None)
    age = None if oldest is None else _age(face, raw(keys.task(text(oldest))), now)
    return Queue(name, arrived + pending, executing, scheduled, failed, quarantine, age)


def _age(face: SyncFace, task_key: bytes, now: float) -> float | None:
    try:
        created = face.command("HGET", task_key, "pending-created")
    except ServerUnavailable:
        raise
    except ServerError:
        return None  # The id is no task; whoever claims it will say so.
    return None if created is None else since(text(created), now)
