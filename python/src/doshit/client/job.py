"""One task before it is in Redis: says what is sent for it and what the answer means. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from doshit.commands import Call, submit
from doshit.errors import DoshitError, IdConflict, ServerError
from doshit.values.keys import Keys

R_co = TypeVar("R_co", covariant=True)

# What one script call and one round trip carry: enough to make the round trip cheap, little enough that other clients
# of the server never wait long for it.
CALL_TASKS = 500
CALL_BYTES = 1 << 20
TRIP_CALLS = 8


class Job(Generic[R_co]):
    """A task that is ready to be submitted; its arguments are bound and checked.

    kind: what its result is read as, Any for plain JSON.
    """

    __slots__ = ("args", "delay", "fields", "function", "id", "kind", "queue")

    def __init__(
        self, id: str, function: str, args: bytes, queue: str, delay: str, fields: tuple[str, ...], kind: Any
    ) -> None:
        self.id, self.function, self.args, self.queue = id, function, args, queue
        self.delay, self.fields, self.kind = delay, fields, kind

    def __repr__(self) -> str:
        return f"Job({self.id!r}, {self.function!r})"


def submission(keys: Keys, job: Job[Any], reply_to: str | None) -> Call[list[str]]:
    """The call that submits one task. reply_to: the channel that hears of its end, besides `results`."""
    fields = job.fields if reply_to is None else (*job.fields, "reply-to", reply_to)
    return submit(keys, job.queue, ((job.id, job.function, job.args, job.delay, fields),))


Batch = list[tuple[int, Job[Any]]]


def batches(jobs: Iterable[Job[Any]]) -> Iterator[Batch]:
    """Numbered jobs in batches for one call each: of one queue, at most 500 tasks and about 1 MB of arguments."""
    open_batches: dict[str, Batch] = {}
    sizes: dict[str, int] = {}
    for at, job in enumerate(jobs):
        batch = open_batches.setdefault(job.queue, [])
        batch.append((at, job))
        sizes[job.queue] = sizes.get(job.queue, 0) + len(job.args)
        if len(batch) >= CALL_TASKS or sizes[job.queue] >= CALL_BYTES:
            yield open_batches.pop(job.queue)
            del sizes[job.queue]
    yield from open_batches.values()


def trips(some: Iterator[Batch]) -> Iterator[list[Batch]]:
    """Batches in groups for one round trip each."""
    group: list[Batch] = []
    for batch in some:
        group.append(batch)
        if len(group) == TRIP_CALLS or sum(len(job.args) for _, job in batch) >= CALL_BYTES:
            yield group
            group = []
    if group:
        yield group


def bulk_submission(keys: Keys, batch: Batch) -> Call[list[str]]:
    """The call that submits the jobs of one batch, in their order."""
    return submit(keys, batch[0][1].queue, [(job.id, job.function, job.args, job.delay, job.fields) for _, job in batch])


def fault(keys: Keys, job: Job[Any], word: str) -> DoshitError | None:
    """What a word of submit means for its caller: nothing is wrong, or the error to raise."""
    if word == "conflict":
        return IdConflict(job.id)
    if word == "wrong-type":
        return ServerError(
            f"key {keys.task(job.id)} is no hash, so no task can have this id; choose another id or prefix, or remove the key"
        )
    return None


# Where a user may not run scripts: the two plain commands of the protocol, after a look at what is there.

Command = tuple[str | bytes, ...]


def plain_look(keys: Keys, job: Job[Any]) -> Command:
    return ("HMGET", keys.task(job.id), "queue", "state", "function", "args")


def plain_word(job: Job[Any], there: Sequence[bytes | None]) -> str:
    """The word that submit would say to what plain_look has found."""
    queue, state, function, args = there
    if function not in (None, job.function.encode()) or args not in (None, job.args):
        return "conflict"
    return "exists" if queue is not None or state in (b"executing", b"finished") else "created"


def plain_submission(keys: Keys, job: Job[Any], now: str, due_ms: int) -> list[Command]:
    """The commands, hash first. now: the protocol's timestamp; due_ms: when a delayed task is due, ms since 1970."""
    hash_fields = ("function", job.function, "state", "pending", "args", job.args, "pending-created", now, "queue", job.queue)
    push: Command = ("LPUSH", keys.pending(job.queue), job.id)
    if job.delay:
        push = ("ZADD", keys.scheduled(job.queue), str(due_ms), job.id)
    return [("HSET", keys.task(job.id), *hash_fields, *job.fields), ("SADD", keys.queues, job.queue), push]
