"""Makes tasks by the library and reads their ends back. Every result is checked; runs nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import tasks
from stage import PREFIX, Server

from doshit import Doshit

CHUNK = 10_000


def fill(server: Server, total: int, first: int = 0) -> list[str]:
    """Enqueues add(i, 1) for i from `first` on, by enqueue_many; their ids, oldest first."""
    ids: list[str] = []
    with Doshit(server.url, prefix=PREFIX, queue="default") as app:
        add = app.task(tasks.add)
        for start in range(first, first + total, CHUNK):
            calls = [(i, 1) for i in range(start, min(start + CHUNK, first + total))]
            ids += [handle.id for handle in add.enqueue_many(calls)]
    return ids


def left(server: Server) -> int:
    """How many tasks are not finished: in pending or in executing, at one moment."""
    pipeline = server.redis.pipeline()
    pipeline.llen(f"{PREFIX}:default:pending")
    pipeline.llen(f"{PREFIX}:default:executing")
    return sum(pipeline.execute())


def times_of(server: Server, ids: Iterable[str], *fields: str) -> list[list[float | None]]:
    """Moments of each task in seconds, by the clock of Redis; None where it has none."""
    found: list[list[float | None]] = []
    rest = iter(ids)
    while chunk := list(islice(rest, 1000)):
        replies = _hmget(server, chunk, fields)
        found += [[None if raw is None else moment(raw) for raw in reply] for reply in replies]
    return found


def check_sums(server: Server, ids: Sequence[str], first: int = 0) -> None:
    """Raises RuntimeError unless each task has its own stored sum. first: the number of the first one."""
    for at in range(0, len(ids), 1000):
        replies = _hmget(server, ids[at : at + 1000], ("result", "result-value"))
        for number, reply in enumerate(replies, first + at):
            if reply != [b"successful", str(number + 1).encode()]:
                raise RuntimeError(f"task {ids[number - first]} should have the result {number + 1} and has {reply}")


def moment(raw: bytes) -> float:
    """A timestamp of the protocol, in seconds since 1970."""
    return datetime.fromisoformat(raw.decode()).timestamp()


def _hmget(server: Server, ids: Iterable[str], fields: Sequence[str]) -> Any:
    pipeline = server.redis.pipeline(transaction=False)
    for id in ids:
        pipeline.hmget(f"{PREFIX}:task:{id}", fields)
    return pipeline.execute()
