"""Where the ids of an app stand: which are in a list, a sorted set or held, and which look as if they were nowhere.

Nothing here stops the world, so one look proves nothing: a task may move while one looks. What looks wrong is looked
at again, and counts only if it looks just the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from doshit.cli.doctor.facts import Entry, Target, Task
from doshit.cli.doctor.reader import Command, Reader, Refused, texts
from doshit.cli.doctor.schema import Schema
from doshit.cli.look import raw
from doshit.commands.calls import text
from doshit.values.keys import Keys

ENTRIES_READ = 100_000
"""Of each list or sorted set."""

PARKED_READ = 100
"""Parked functions of a queue, as claim reads them."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass
class Standing:
    """Ids by queue. pending: with what a wait has taken off that list. cut: queues with more entries than were read.
    everywhere: all ids that stand anywhere."""

    pending: dict[str, list[str]] = field(default_factory=dict)
    executing: dict[str, list[str]] = field(default_factory=dict)
    everywhere: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)


def seen_twice(first: Mapping[K, V], second: Mapping[K, V]) -> dict[K, V]:
    """What looked the same both times."""
    return {key: value for key, value in first.items() if second.get(key) == value}


def nowhere(tasks: Mapping[str, Task], standing: Standing) -> dict[str, Task]:
    """The hashes whose id stands nowhere, as far as was read."""
    return {id: task for id, task in tasks.items() if id not in standing.everywhere}


class Places:
    """The lists, sorted sets and held hashes of an app. bound: entries read of each."""

    def __init__(self, reader: Reader, keys: Keys, schema: Schema, bound: float) -> None:
        self._reader, self._keys, self._schema, self._bound = reader, keys, schema, bound

    def standing(self, queues: Sequence[str], holders: Iterable[str]) -> Standing:
        """Reads all places, in the order that tasks go through them, so that who moves on is met again."""
        found = Standing()
        for queue in queues:
            found.everywhere.update(self._entries(found, queue, "ZRANGE", self._keys.scheduled(queue)))
            for list_key in self.parked(queue):
                found.everywhere.update(self._entries(found, queue, "LRANGE", list_key))
            found.everywhere.update(self._entries(found, queue, "LRANGE", self._keys.quarantine(queue)))
            found.pending[queue] = [
                id for key in self._waiting(queue) for id in self._entries(found, queue, "LRANGE", key)
            ]
            found.executing[queue] = self._entries(found, queue, "LRANGE", self._keys.executing(queue))
            found.everywhere.update(found.pending[queue], found.executing[queue])
        for worker in holders:
            found.everywhere.update(id for id, _ in self._reader.members(raw(self._keys.held(worker)), self._bound))
        return found

    def _waiting(self, queue: str) -> list[str]:
        """The lists of what waits: an id may arrive while one looks, so these two in this order."""
        return [self._keys.pending(queue), self._keys.arrived(queue)]

    def _entries(self, found: Standing, queue: str, command: str, key: str) -> list[str]:
        ids = [id for page in self._reader.pages(command, raw(key), self._bound) for id in page]
        if len(ids) >= self._bound:
            found.cut.add(queue)
        return ids

    def parked(self, queue: str) -> list[str]:
        """The keys of the parked lists of a queue."""
        names = texts(self._reader.one("ZRANGE", self._schema.key("parked", queue=queue), 0, PARKED_READ - 1)) or []
        return [self._schema.key("parked-tasks", queue=queue, function=name) for name in names]

    def still_nowhere(self, tasks: Mapping[str, Task], queues: Sequence[str]) -> dict[str, Task]:
        """Those of these ids that stand in no place at all, each asked for by name."""
        lists = {queue: self._lists(queue) for queue in queues}
        return {id: task for id, task in tasks.items() if not self._stands(id, task, lists)}

    def _lists(self, queue: str) -> list[str]:
        keys = self._keys
        return [*self.parked(queue), *self._waiting(queue), keys.executing(queue), keys.quarantine(queue)]

    def _stands(self, id: str, task: Task, lists: Mapping[str, Sequence[str]]) -> bool:
        within = {task.queue: lists[task.queue]} if task.queue in lists else lists
        commands: list[Command] = []
        for queue, list_keys in within.items():
            commands.append(("ZSCORE", self._keys.scheduled(queue), raw(id)))
            commands += [("LPOS", raw(key), raw(id)) for key in list_keys]
        if task.worker:
            commands.append(("HGET", raw(self._keys.held(task.worker)), raw(id)))
        return any(_may_hold(reply) for reply in self._reader.many(commands))

    def executing(self, entries: Iterable[Target]) -> dict[Target, Entry]:
        """What the hashes of these entries say, of those whose task nobody holds."""
        asked = list(entries)
        names = ("state", "worker", "claim", "executing-created")
        replies = self._reader.many([("HMGET", raw(self._keys.task(it.id)), *names) for it in asked])
        read = {it: row for it, reply in zip(asked, replies, strict=True) if (row := texts(reply)) is not None}
        holds = self._reader.many([("HGET", raw(self._keys.held(row[1])), raw(it.id)) for it, row in read.items()])
        found = {it: _entry(row, hold) for (it, row), hold in zip(read.items(), holds, strict=True)}
        return {it: entry for it, entry in found.items() if not entry.held}

    def in_executing(self, entries: Mapping[Target, Entry], among: Mapping[str, set[str]]) -> dict[Target, Entry]:
        """Those that no held hash names either: a deleted hash does not say who holds its task."""
        held = {id for ids in among.values() for id in ids}
        left = [it for it in entries if entries[it].hashed or it.id not in held]
        places = self._reader.many([("LPOS", self._keys.executing(it.queue), raw(it.id)) for it in left])
        return {it: entries[it] for it, place in zip(left, places, strict=True) if isinstance(place, int)}

    def held(self, workers: Iterable[str]) -> dict[str, set[str]]:
        """The ids that each of these workers holds."""
        found = {}
        for worker in workers:
            found[worker] = {id for id, _ in self._reader.members(raw(self._keys.held(worker)), self._bound)}
        return found

    def unhashed(self, entries: Iterable[Target]) -> dict[Target, bool]:
        """Those of these pending entries that have no hash, and still stand there."""
        asked = list(entries)
        there = self._reader.many([("EXISTS", raw(self._keys.task(it.id))) for it in asked])
        left = [it for it, exists in zip(asked, there, strict=True) if exists == 0]
        places = self._reader.many([("LPOS", key, raw(it.id)) for it in left for key in self._waiting(it.queue)])
        pairs = zip(left, places[::2], places[1::2], strict=True)
        return {it: True for it, *both in pairs if any(isinstance(place, int) for place in both)}


def _may_hold(reply: Any) -> bool:
    """Whether an id may stand there: a key of another type holds none, any other refusal proves nothing."""
    return "WRONGTYPE" not in reply.why if isinstance(reply, Refused) else reply is not None


def _entry(row: Sequence[str], hold: Any) -> Entry:
    state, worker, claim, started = row
    # A refusal counts as held: what cannot be read is no finding.
    held = isinstance(hold, Refused) or (hold is not None and text(hold).partition(" ")[0] == claim != "")
    return Entry(state, worker, claim, started, held)
