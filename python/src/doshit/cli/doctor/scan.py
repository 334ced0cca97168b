"""Walks over the keys of one app with SCAN, within bounds: which there are, and what the hashes of tasks say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from doshit.cli.doctor.facts import Task, WrongType
from doshit.cli.doctor.reader import Command, Reader, Refused, number, texts
from doshit.cli.doctor.schema import Known, Schema
from doshit.cli.look import raw
from doshit.commands.calls import text
from doshit.values.keys import Keys
from doshit.values.states import ARGS_CAP, RESULT_CAP, State

KEYS_READ = 200_000
TASKS_READ = 20_000
BIG_KEY = 8 << 20
"""Bytes of one task that are worth a word: more than the caps of args and result can explain."""

_FIELDS = ("state", "function", "queue", "worker", "claim", "pending-created", "result-ttl")


@dataclass
class Walk:
    """What a walk found. tasks: how many hashes of tasks were read; whole: whether it came to the end."""

    tasks: int = 0
    whole: bool = True
    queues: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    wrong: dict[str, WrongType] = field(default_factory=dict)
    open: dict[str, Task] = field(default_factory=dict)
    endless: dict[str, Task] = field(default_factory=dict)
    large: dict[str, Task] = field(default_factory=dict)
    """open: hashes that are not over; endless: over and without a lifetime; large: with values over the caps."""


def walk(reader: Reader, keys: Keys, schema: Schema, deep: bool) -> Walk:
    """One walk. deep: to the end, however long that takes."""
    found, cursor, steps = Walk(), 0, 0
    while True:
        reply = reader.one("SCAN", cursor, "MATCH", keys.app + "*", "COUNT", 1000)
        if isinstance(reply, Refused):
            found.whole = False
            return found
        cursor, names = int(reply[0]), reply[1]
        _take(found, reader, keys, schema, [text(name) for name in names])
        steps += 1000
        if cursor == 0:
            return found
        if not deep and (steps >= KEYS_READ or found.tasks >= TASKS_READ):
            found.whole = False
            return found


def _take(found: Walk, reader: Reader, keys: Keys, schema: Schema, names: Sequence[str]) -> None:
    known = [(name, it) for name in names if (it := schema.known(name)) is not None]
    kinds = reader.many([("TYPE", raw(name)) for name, _ in known])
    tasks = []
    for (name, it), kind in zip(known, kinds, strict=True):
        actual = "" if isinstance(kind, Refused) else text(kind)
        if actual in ("", "none", it.type):
            _note(found, it)
            if it.name == "task":
                tasks.append(it.parts["id"])
        else:
            found.wrong[name] = WrongType(name, it.type, actual)
    found.tasks += len(tasks)
    for id, task in read_tasks(reader, keys, tasks).items():
        sort_in(found, id, task)


def _note(found: Walk, it: Known) -> None:
    if "queue" in it.parts:
        found.queues.add(it.parts["queue"])
    if it.name == "worker":
        found.workers.add(it.parts["worker"])
    if it.name == "held":
        found.holders.add(it.parts["worker"])


def sort_in(found: Walk, id: str, task: Task) -> None:
    """Puts a hash where it is worth a second look, if it is."""
    if task.state != State.FINISHED:
        found.open[id] = task
    elif task.ttl == -1 and task.result_ttl != "keep":
        found.endless[id] = task
    if task.args_size > ARGS_CAP or task.result_size > RESULT_CAP or task.memory > BIG_KEY:
        found.large[id] = task


def read_tasks(reader: Reader, keys: Keys, ids: Sequence[str]) -> dict[str, Task]:
    """The hashes of these tasks, without those that are gone or cannot be read."""
    commands: list[Command] = []
    for id in ids:
        key = raw(keys.task(id))
        commands += [
            ("HMGET", key, *_FIELDS),
            ("PTTL", key),
            ("HSTRLEN", key, "args"),
            ("HSTRLEN", key, "result-value"),
            ("MEMORY USAGE", key, "SAMPLES", 0),
        ]
    replies = reader.many(commands)
    rows = {id: _task(replies[at * 5 : at * 5 + 5]) for at, id in enumerate(ids)}
    return {id: task for id, task in rows.items() if task is not None}


def _task(replies: Sequence[Any]) -> Task | None:
    fields, ttl = texts(replies[0]), replies[1]
    if fields is None or not isinstance(ttl, int) or ttl == -2:
        return None
    state, function, queue, worker, claim, created, result_ttl = fields
    sizes = [number(reply) for reply in replies[2:]]
    return Task(state, function, queue, worker, claim, created, result_ttl, ttl, *sizes)
