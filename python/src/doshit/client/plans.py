"""What is asked of Redis about tasks that are there, step by step: cancel, retry, drop, read. Sends nothing.

A plan is a generator: it yields what to send next and is given the replies, so the blocking side and the event loop
follow the same one. A refusal is thrown into it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from doshit.client.info import OutputLine, Progress, TaskInfo, output_lines
from doshit.client.submission import Command, raw
from doshit.commands import Call, cancel, drop, requeue
from doshit.errors import ConfigurationError, NotPermitted, ServerError, ServerUnavailable, TaskVanished
from doshit.values.keys import Keys
from doshit.values.names import check_function, check_queue
from doshit.values.states import RESULT_TTL, ErrorCode, Result, State
from doshit.values.times import format_timestamp

R = TypeVar("R")
Plan = Generator[Sequence[Command] | Call[Any], Any, R]

CALL_IDS = 100
"""Ids that one call of a script carries."""
READ_IDS = 50
"""Hashes that one round trip reads: each may hold a megabyte."""
CUTOFF_KEPT = timedelta(days=30)
"""How long a cut-off is remembered. What then still waits from before it runs after all."""
OUTPUT_ENTRIES = 5000
"""Entries of output that are read at once; a task's output is kept smaller than that."""


class Failed(NamedTuple):
    """An entry of a failed set."""

    at: float
    queue: str
    id: bytes


class Filter(NamedTuple):
    """Which failed tasks are meant; None: whichever. Refuses what cannot be meant when it is made with `checked`."""

    queue: str | None = None
    function: str | None = None
    code: str | None = None

    @classmethod
    def checked(cls, queue: str | None, function: str | None, code: str | None) -> Filter:
        """Raises ConfigurationError for a queue, a function or a code that cannot be."""
        if queue is not None:
            check_queue(queue)
        if function is not None:
            check_function(function)
        if code is not None and code not in set(ErrorCode):
            raise ConfigurationError(f"error code {code!r}: there is no such code; codes are {', '.join(ErrorCode)}")
        return cls(queue, function, code)

    def takes(self, fields: Sequence[bytes | None] | None) -> bool:
        """Whether a reply to HMGET of _LOOK is of a failed task that is meant."""
        if not fields or fields[0] != State.FINISHED.encode() or fields[1] != Result.FAILED.encode():
            return False
        function, code = fields[2], fields[3]
        return (self.function is None or function == raw(self.function)) and (
            self.code is None or code == self.code.encode()
        )


_CHECKS = {"queue": check_queue, "function": check_function}
_LOOK = ("state", "result", "function", "error-code")


def cancelling(keys: Keys, ids: Sequence[str]) -> Plan[list[str]]:
    """Cancels tasks: a word of cancel for each. A user who may not run scripts asks the workers: "asked" for each."""
    words: list[str] = []
    for some in _slices(ids, CALL_IDS):
        raws = [raw(id) for id in some]
        try:
            words += yield cancel(keys, raws, result_ttl=RESULT_TTL)
        except NotPermitted:
            yield [("LPUSH", keys.cancel, *raws)]
            words += ["asked"] * len(raws)
    return words


def cutting_off(keys: Keys, kind: str, name: str) -> Plan[datetime]:
    """Cancels what a queue or a function (kind) has waiting, by the clock of Redis; gives that moment.

    Raises ConfigurationError for a name that cannot be one.
    """
    _CHECKS[kind](name)
    ((seconds, microseconds),) = yield [("TIME",)]
    moment = datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))
    milliseconds = str(int(CUTOFF_KEPT.total_seconds() * 1000))
    field = raw(f"{kind}:{name}")
    yield [("HSET", keys.cutoffs, field, format_timestamp(moment)), ("PEXPIRE", keys.cutoffs, milliseconds)]
    return moment


def output_of(keys: Keys, id: str) -> Plan[list[OutputLine]]:
    """What a task has printed. Raises TaskVanished."""
    log = ("XRANGE", raw(keys.log(id)), "-", "+", "COUNT", str(OUTPUT_ENTRIES))
    entries, there = yield [log, ("EXISTS", raw(keys.task(id)))]
    if not entries and not there:
        raise TaskVanished(id)
    return [line for _, line in output_lines(entries)]


def progress_of(keys: Keys, id: str) -> Plan[Progress | None]:
    """How far a task said it is. Raises TaskVanished."""
    ((progress, *others),) = yield [("HMGET", raw(keys.task(id)), "progress", "state", "function", "args")]
    if progress is None and not any(others):
        raise TaskVanished(id)
    return Progress.read(progress)


def requeueing(keys: Keys, id: str) -> Plan[bool]:
    """Runs a failed task again; whether it was one. Raises TaskVanished, ServerError for a key of another type."""
    (word,) = yield requeue(keys, [raw(id)])
    if word == "unknown":
        raise TaskVanished(id)
    if word == "wrong-type":
        raise ServerError(f"wrong-type: key {keys.task(id)} is no hash, or its queue no list; another program uses it")
    return bool(word == "requeued")


def failed_entries(keys: Keys, own: str, queue: str | None) -> Plan[list[Failed]]:
    """The entries of the failed sets, the newest first. own: the app's queue, which nobody may have used yet."""
    if queue is None:
        (names,) = yield [("SMEMBERS", keys.queues)]
        queues = sorted({own, *filter(_is_queue, (name.decode("utf-8", "replace") for name in names))})
    else:
        queues = [queue]
    replies = yield [("ZREVRANGE", keys.failed(name), "0", "-1", "WITHSCORES") for name in queues]
    found = [_failed(name, flat) for name, flat in zip(queues, replies, strict=True)]
    return sorted((each for some in found for each in some), key=lambda each: -each.at)


def _failed(queue: str, flat: Sequence[Any]) -> Iterator[Failed]:
    for id, at in zip(flat[::2], flat[1::2], strict=True):
        yield Failed(float(at), queue, id)


def _is_queue(name: str) -> bool:
    try:
        return bool(check_queue(name))
    except ConfigurationError:
        return False


def failed_infos(keys: Keys, wanted: Filter, entries: Sequence[Failed]) -> Plan[list[TaskInfo]]:
    """What is meant of some entries, in their order."""
    taken = yield from _taken(keys, wanted, entries)
    hashes = yield from _spared([("HGETALL", _key(keys, each.id)) for each in taken])
    return [
        TaskInfo.read(each.id.decode("utf-8", "surrogateescape"), _pairs(flat))
        for each, flat in zip(taken, hashes, strict=True)
        if flat
    ]


def requeueing_failed(keys: Keys, wanted: Filter, own: str) -> Plan[int]:
    """Runs failed tasks again, the oldest first; how many it were."""
    count = 0
    entries = yield from failed_entries(keys, own, wanted.queue)
    for some in _slices(entries[::-1], CALL_IDS):
        taken = yield from _taken(keys, wanted, some)
        if taken:
            words = yield requeue(keys, [each.id for each in taken])
            count += words.count("requeued")
    return count


def dropping_failed(keys: Keys, wanted: Filter, own: str) -> Plan[int]:
    """Forgets failed tasks; how many it were."""
    count = 0
    entries = yield from failed_entries(keys, own, wanted.queue)
    for some in _slices(entries, CALL_IDS):
        if wanted.function is None and wanted.code is None:
            taken = some
        else:
            taken = yield from _taken(keys, wanted, some)
        if taken:
            words = yield drop(keys, [each.id for each in taken])
            count += words.count("dropped")
            # Their hashes have faded: nothing but the entry is left to forget.
            gone = [each for each, word in zip(taken, words, strict=True) if word == "unknown"]
            if gone:
                yield [("ZREM", keys.failed(each.queue), each.id) for each in gone]
    return count


def _taken(keys: Keys, wanted: Filter, entries: Sequence[Failed]) -> Plan[list[Failed]]:
    looks = yield from _spared([("HMGET", _key(keys, each.id), *_LOOK) for each in entries])
    return [each for each, fields in zip(entries, looks, strict=True) if wanted.takes(fields)]


def _spared(commands: Sequence[Command]) -> Plan[list[Any]]:
    """Replies of commands that read one key each; None for a key that is no hash, which spoils no other's."""
    if not commands:
        return []
    try:
        replies: list[Any] = yield commands
        return replies
    except (NotPermitted, ServerUnavailable):
        raise
    except ServerError:
        if len(commands) == 1:
            return [None]
    replies = []
    for command in commands:
        replies += yield from _spared([command])
    return replies


def _key(keys: Keys, id: bytes) -> bytes:
    return raw(keys.task("")) + id


def _pairs(flat: Any) -> dict[bytes, bytes]:
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


T = TypeVar("T")


def _slices(some: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    for at in range(0, len(some), size):
        yield some[at : at + size]
