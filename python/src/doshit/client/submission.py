"""What is sent to submit tasks, and what the answers mean. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from doshit.client.job import Job
from doshit.commands import Call, submit
from doshit.errors import DoshitError, IdConflict, ServerError
from doshit.values.keys import Keys
from doshit.values.times import format_timestamp

# What one script call and one round trip carry: enough to make the round trip cheap, little enough that other clients
# of the server never wait long for it.
CALL_TASKS = 500
CALL_BYTES = 1 << 20
TRIP_CALLS = 8


def submit_one(keys: Keys, job: Job[Any], reply_to: str | None) -> Call[list[str]]:
    """The call that submits one task. reply_to: the channel that hears of its end, besides `results`."""
    fields = job.fields if reply_to is None else (*job.fields, "reply-to", reply_to)
    return submit(keys, job.queue, ((raw(job.id), job.function, job.args, job.delay, fields),))


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


def submit_batch(keys: Keys, batch: Batch) -> Call[list[str]]:
    """The call that submits the jobs of one batch, in their order."""
    tasks = [(raw(job.id), job.function, job.args, job.delay, job.fields) for _, job in batch]
    return submit(keys, batch[0][1].queue, tasks)


def raw(text: str) -> bytes:
    """An id, or a key with one, as bytes: those that are not UTF-8 travel in text as surrogates (PEP 383)."""
    return text.encode("utf-8", "surrogateescape")


def fault(keys: Keys, job: Job[Any], word: str) -> DoshitError:
    """The error for a word of submit that is neither "created" nor "exists"."""
    if word == "conflict":
        return IdConflict(job.id)
    return ServerError(
        f"{word}: key {keys.task(job.id)} is no hash, so no task can have this id; choose another id, or remove the key"
    )


# Where a user may not run scripts: the two plain commands of the protocol, after a look at what is there. Two clients
# that submit one id at the same moment are not told apart then; a worker runs it once all the same.

Command = tuple[str | bytes, ...]


def plain_look(keys: Keys, job: Job[Any]) -> Command:
    return ("HMGET", raw(keys.task(job.id)), "queue", "state", "function", "args")


def plain_word(job: Job[Any], there: Sequence[bytes | None]) -> str:
    """The word that submit would say to what plain_look has found."""
    queue, state, function, args = there
    if function not in (None, job.function.encode()) or args not in (None, job.args):
        return "conflict"
    return "exists" if queue is not None or state in (b"executing", b"finished") else "created"


def plain_submission(keys: Keys, job: Job[Any], now: datetime) -> list[Command]:
    """The commands, hash first.

    Without the field `queue`, which says "it is in the queue": the connection may be lost before the push.
    """
    id = raw(job.id)
    made: Command = ("HSET", raw(keys.task(job.id)), "function", job.function, "state", "pending", "args", job.args)
    made += ("pending-created", format_timestamp(now), *job.fields)
    if job.delay == "front":
        return [made, ("RPUSH", keys.pending(job.queue), id)]
    if job.delay:
        due = int((now.timestamp() + float(job.delay)) * 1000)
        return [made, ("SADD", keys.queues, job.queue), ("ZADD", keys.scheduled(job.queue), str(due), id)]
    return [made, ("LPUSH", keys.pending(job.queue), id)]
