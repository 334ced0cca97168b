"""Looks twice at what may be wrong or only in motion, and keeps what looks wrong both times. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from doshit.cli.doctor.facts import Entry, Target, Task
from doshit.cli.doctor.reader import Reader
from doshit.cli.doctor.scan import Walk, read_tasks, sort_in
from doshit.cli.doctor.standing import Places, Standing, nowhere, seen_twice
from doshit.values.keys import Keys

ASKED = 20_000
"""Pending entries that are asked for their hash."""


class Doubts(NamedTuple):
    """Pending entries without a hash, executing entries nobody holds, open hashes and endless ones that are nowhere."""

    unhashed: dict[Target, bool]
    executing: dict[Target, Entry]
    lost: dict[str, Task]
    endless: dict[str, Task]


class Suspects:
    """What looked wrong at first, and still does at a second look. bound: how many of a kind are looked at twice."""

    def __init__(self, reader: Reader, keys: Keys, places: Places, bound: int, deep: bool) -> None:
        self._reader, self._keys, self._places, self._bound = reader, keys, places, bound
        self._deep = deep
        self.cut: list[str] = []

    def first(self, found: Walk, standing: Standing) -> Doubts:
        """What looks wrong."""
        entries = [Target(id, queue) for queue, ids in standing.executing.items() for id in ids]
        waiting = [Target(id, queue) for queue, ids in standing.pending.items() for id in ids if id not in found.open]
        return Doubts(
            self._places.unhashed(self._asked(waiting)),
            self._few("executing entries", self._places.executing(entries)),
            self._few("tasks that are not over", self._unchanged(nowhere(found.open, standing))),
            self._few("finished tasks", nowhere(found.endless, standing)),
        )

    def _asked(self, waiting: list[Target]) -> list[Target]:
        asked = waiting if self._deep else waiting[:ASKED]
        if len(asked) < len(waiting):
            self.cut.append(f"of {len(waiting)} pending entries only {ASKED} were asked for their hash")
        return asked

    def _unchanged(self, tasks: Mapping[str, Task]) -> dict[str, Task]:
        """Most of what moved meanwhile has ended, and is out of the question before anything is searched for."""
        return seen_twice(tasks, read_tasks(self._reader, self._keys, list(tasks)))

    def _few(self, what: str, suspects: dict[Any, Any]) -> dict[Any, Any]:
        if len(suspects) > self._bound:
            self.cut.append(f"{len(suspects) - self._bound} {what} are in doubt and were not looked at again")
        return dict(list(suspects.items())[: self._bound])

    def second(self, first: Doubts, queues: Sequence[str], holders: set[str]) -> Doubts:
        """What still does."""
        unhashed, entries, tasks, endless = first
        still = seen_twice(entries, self._places.executing(entries))
        again = Walk()
        for id, task in read_tasks(self._reader, self._keys, [*tasks, *endless]).items():
            sort_in(again, id, task)
        return Doubts(
            self._places.unhashed(unhashed),
            self._places.in_executing(still, self._places.held(holders) if still else {}),
            self._places.still_nowhere(seen_twice(tasks, again.open), queues),
            self._places.still_nowhere(seen_twice(endless, again.endless), queues),
        )
