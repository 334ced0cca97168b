"""A Call for each transition and the values their replies become. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from doshit.commands.scripts import SCRIPTS, Script
from doshit.values.keys import Keys

R = TypeVar("R")
Arg = bytes | str | int | float


class Call(Generic[R]):
    """One call of a script, and how its reply is read. Safe to send twice, as every script is."""

    __slots__ = ("args", "key", "parse", "script")

    def __init__(self, script: Script, key: str, args: Sequence[Arg], parse: Callable[[Any], R]) -> None:
        self.script, self.key, self.args, self.parse = script, key, args, parse

    def evalsha(self) -> tuple[Arg, ...]:
        return ("EVALSHA", self.script.sha, 1, self.key, *self.args)

    def eval(self) -> tuple[Arg, ...]:
        """The same with the script's text: what is sent after NOSCRIPT."""
        return ("EVAL", self.script.source, 1, self.key, *self.args)


class Claimed(NamedTuple):
    """A task that claim gave to this worker. Raw bytes: nobody on this side reads args."""

    id: bytes
    queue: bytes
    claim: bytes
    function: bytes
    args: bytes
    attempts: bytes = b"1"
    lost: bytes = b"0"
    time_limit: bytes | None = None
    memory_limit: bytes | None = None
    retries: bytes | None = None
    retry_delay: bytes | None = None
    retry_backoff: bytes | None = None
    traceparent: bytes | None = None
    username: bytes | None = None
    retried: bytes | None = None


class ClaimReply(NamedTuple):
    """state: "claimed", "sealed" or "unknown". looked: entries taken off. problems: (queue, what Redis said)."""

    state: str
    looked: int
    tasks: list[Claimed]
    problems: list[tuple[str, str]]


class Beat(NamedTuple):
    """state: "ok", "sealed" or "unknown". held: how many tasks Redis says this worker holds. stops: claims to end."""

    state: str
    held: int
    stops: list[bytes]


class Entry(NamedTuple):
    """A piece of what a run printed. stream: "stdout", "stderr" or "log". time: a timestamp."""

    stream: Arg
    time: Arg
    text: Arg


class Note(NamedTuple):
    """What one running task tells. progress: JSON, or "" for none."""

    id: bytes
    claim: bytes
    progress: Arg
    entries: Sequence[Entry]


class End(NamedTuple):
    """The end of one run. fields: only the result-value of a success; or flat, `result` and its value first."""

    id: bytes
    claim: bytes
    fields: Sequence[Arg]


def text(value: bytes | str) -> str:
    """Bytes of Redis as text: what is not UTF-8 survives as surrogates (PEP 383)."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _words(reply: list[bytes]) -> list[str]:
    return [text(word) for word in reply]


def _mixed(reply: list[Any]) -> list[Any]:
    return [text(item) if isinstance(item, bytes) else item for item in reply]


def _now(now: int | None) -> Arg:
    return "" if now is None else now


def submit(
    keys: Keys,
    queue: str,
    tasks: Iterable[tuple[Arg, Arg, Arg, Arg, Sequence[Arg]]],
    *,
    now: int | None = None,
) -> Call[list[str]]:
    """nothing -> pending. tasks: (id, function, args as JSON, delay in seconds or "", flat extra fields) each.

    The reply is a word for each: "created", "exists", "conflict", "wrong-type".
    """
    args: list[Arg] = [_now(now), queue]
    for id, function, raw, delay, fields in tasks:
        args += (id, function, raw, delay, len(fields) // 2)
        args += fields
    return Call(SCRIPTS["submit"], keys.app, args, _words)


def _claimed(flat: list[Any], mark: bytes, queue: bytes) -> Iterator[Claimed]:
    """The tasks of a reply: how many items the next one has, then these, and so on."""
    at = place = 0
    while at < len(flat):
        end, place = at + 1 + flat[at], place + 1
        items = flat[at + 1 : end]
        if len(items) == 3:
            items[1:1] = queue, b"%b%d" % (mark, place)
        yield Claimed(*items)
        at = end


def _claim_reply(reply: list[Any]) -> ClaimReply:
    if len(reply) == 1:
        return ClaimReply(text(reply[0]), 0, [], [])
    return ClaimReply(
        "claimed",
        reply[1],
        list(_claimed(reply[2], *reply[4:])),
        [(text(queue), text(why)) for queue, why in reply[3]],
    )


def claim(
    keys: Keys,
    worker: str,
    request: int,
    limit: int,
    queues: Sequence[str],
    *,
    wait: int | None = None,
    max_bytes: int,
    args_cap: int,
    result_ttl: int,
    failed_ttl: int,
    now: int | None = None,
) -> Call[ClaimReply]:
    """pending -> executing. wait: the name of the wait that this call stands behind; it counts its own requests."""
    args: list[Arg] = [
        _now(now),
        worker,
        request,
        limit,
        max_bytes,
        args_cap,
        result_ttl,
        failed_ttl,
        len(queues),
        *queues,
    ]
    if wait is not None:
        args.append(wait)
    return Call(SCRIPTS["claim"], keys.app, args, _claim_reply)


def finish(
    keys: Keys,
    worker: str,
    ends: Iterable[End],
    *,
    result_ttl: int,
    failed_ttl: int,
    now: int | None = None,
) -> Call[list[str]]:
    """executing -> finished. The reply is a word for each: "finished", "already", "stale"."""
    ends = list(ends)
    are_values = all(len(fields) == 1 for _, _, fields in ends)
    args: list[Arg] = [_now(now), worker, result_ttl, failed_ttl, "values" if are_values else "fields"]
    for id, claim_, fields in ends:
        if are_values:
            args += (id, claim_, *fields)
        else:
            named = fields if len(fields) > 1 else ("result", "successful", "result-value", *fields)
            args += (id, claim_, len(named) // 2, *named)
    return Call(SCRIPTS["finish"], keys.app, args, _words)


def release(
    keys: Keys,
    worker: str,
    tasks: Iterable[tuple[bytes, bytes, Arg, bool]],
    *,
    now: int | None = None,
) -> Call[list[str]]:
    """executing -> pending. tasks in the order they were claimed: (id, claim, delay in seconds or "", begun).

    The reply is a word for each: "released", "stale", "wrong-type".
    """
    args: list[Arg] = [_now(now), worker]
    for id, claim_, delay, begun in tasks:
        args += (id, claim_, delay, int(begun))
    return Call(SCRIPTS["release"], keys.app, args, _words)


def retry(
    keys: Keys,
    worker: str,
    tasks: Iterable[tuple[bytes, bytes, Arg, Arg]],
    *,
    now: int | None = None,
) -> Call[list[str]]:
    """executing -> pending, later, after a failed run: (id, claim, delay in seconds, failure) each.

    failure: a JSON object with attempt, code and reason, to be kept in `failures`; "" keeps none.
    The reply is a word for each: "retried", "stale", "wrong-type".
    """
    args: list[Arg] = [_now(now), worker]
    for task in tasks:
        args += task
    return Call(SCRIPTS["retry"], keys.app, args, _words)


def cancel(
    keys: Keys,
    ids: Iterable[Arg] = (),
    *,
    take: int = 0,
    result_ttl: int,
    now: int | None = None,
) -> Call[list[str]]:
    """pending -> finished; executing: its worker is asked. take: how many ids of the cancel list too, at most 100.

    The reply is a word for each of ids, then for each one taken: "cancelled", "asked", "finished", "unknown" or
    "wrong-type".
    """
    return Call(SCRIPTS["cancel"], keys.app, [_now(now), result_ttl, take, *ids], _words)


def note(
    keys: Keys,
    worker: str,
    notes: Iterable[Note],
    *,
    keep: int,
    output_cap: int,
    now: int | None = None,
) -> Call[list[str]]:
    """Keeps what running tasks tell. keep: seconds that output stays. output_cap: bytes of it that a task may have.

    The reply is a word for each: "noted", "stale".
    """
    args: list[Arg] = [_now(now), worker, keep, output_cap]
    for id, claim_, progress, entries in notes:
        args += (id, claim_, progress, len(entries))
        for entry in entries:
            args += entry
    return Call(SCRIPTS["note"], keys.app, args, _words)


def requeue(keys: Keys, ids: Iterable[Arg], *, now: int | None = None) -> Call[list[str]]:
    """finished -> pending, by hand, for failed tasks.

    The reply is a word for each: "requeued", "unknown", "not-failed", "wrong-type".
    """
    return Call(SCRIPTS["requeue"], keys.app, [_now(now), *ids], _words)


def drop(keys: Keys, ids: Iterable[Arg], *, now: int | None = None) -> Call[list[str]]:
    """Forgets failed tasks. The reply is a word for each: "dropped", "unknown", "not-failed", "wrong-type"."""
    return Call(SCRIPTS["drop"], keys.app, [_now(now), *ids], _words)


def seal(keys: Keys, workers: Iterable[str], *, now: int | None = None) -> Call[list[str]]:
    """Takes workers for dead that are known to be gone. A word for each: "sealed", "already", "unknown"."""
    return Call(SCRIPTS["seal"], keys.app, [_now(now), *workers], _words)


def park(
    keys: Keys,
    worker: str,
    grace: float,
    tasks: Iterable[tuple[bytes, bytes, bytes]],
    *,
    now: int | None = None,
) -> Call[list[str]]:
    """executing -> pending, for functions this worker lacks: (id, claim, function) each. grace in seconds.

    The reply is a word for each: "parked", "waits", "unknown", "stale", "wrong-type".
    """
    args: list[Arg] = [_now(now), worker, grace]
    for task in tasks:
        args += task
    return Call(SCRIPTS["park"], keys.app, args, _words)


def _beat_reply(reply: list[Any]) -> Beat:
    return Beat(text(reply[0]), reply[1], reply[2]) if len(reply) > 1 else Beat(text(reply[0]), 0, [])


def beat(keys: Keys, worker: str, *, lease_ms: int, now: int | None = None) -> Call[Beat]:
    """Renews the lease of a worker."""
    return Call(SCRIPTS["beat"], keys.app, [_now(now), worker, lease_ms], _beat_reply)


def recover(
    keys: Keys,
    *,
    interval_ms: int,
    losses: int,
    result_ttl: int,
    failed_ttl: int,
    now: int | None = None,
) -> Call[list[Any]]:
    """executing -> pending or failed, for what dead workers held and what nobody holds.

    The reply: ["early"], ["amnesty", ms, taken back, failed] or
    ["recovered", sealed, taken back, failed, unclaimed taken back].
    """
    return Call(
        SCRIPTS["recover"],
        keys.app,
        [_now(now), interval_ms, losses, result_ttl, failed_ttl],
        _mixed,
    )


def promote(keys: Keys, *, interval_ms: int, limit: int = 500, now: int | None = None) -> Call[list[Any]]:
    """scheduled -> pending, for what is due.

    The reply: ["early"] or ["promoted", count, ms to the next or -1, freed, ids that wait in the cancel list].
    """
    return Call(SCRIPTS["promote"], keys.app, [_now(now), interval_ms, limit], _mixed)
