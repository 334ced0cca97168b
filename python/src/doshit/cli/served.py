"""Reads what live workers tell of their functions, with plain commands and within bounds. Writes and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from doshit.cli.look import WORKERS_READ, raw, redis_now
from doshit.commands.calls import text
from doshit.transport import SyncFace
from doshit.values.catalog import Entry, read_entry, signature_key
from doshit.values.keys import Keys

FUNCTIONS_READ = 2000
"""Of each catalog."""
ENTRY_BYTES = 256 * 1024
"""A larger entry says nothing."""


class Form(NamedTuple):
    """One function with one signature, and the workers that serve it so. A name with two forms is a disagreement."""

    name: str
    entry: Entry
    workers: tuple[str, ...]


def forms(face: SyncFace, keys: Keys) -> list[Form]:
    """What live workers serve, by name; of forms with one name, what most workers serve comes first."""
    alive = face.command("ZRANGEBYSCORE", keys.workers, int(redis_now(face) * 1000), "+inf", "LIMIT", 0, WORKERS_READ)
    named = face.pipeline([("HGET", raw(keys.worker(text(id))), "catalog") for id in alive]) if alive else []
    serving: dict[str, list[str]] = {}
    for id, sha in zip(alive, named, strict=True):
        if sha:
            serving.setdefault(text(sha), []).append(text(id))
    grouped: dict[tuple[str, str], tuple[Entry, list[str]]] = {}
    for sha, workers in sorted(serving.items()):
        for name, entry in _entries(face, keys, sha):
            grouped.setdefault((name, signature_key(entry)), (entry, []))[1].extend(workers)
    found = [Form(name, entry, tuple(sorted(ids))) for (name, _), (entry, ids) in grouped.items()]
    return sorted(found, key=lambda form: (form.name, -len(form.workers), signature_key(form.entry)))


def differing(found: Iterable[Form]) -> dict[str, int]:
    """The functions on whose signature live workers disagree, and how many signatures each has."""
    counts: dict[str, int] = {}
    for form in found:
        counts[form.name] = counts.get(form.name, 0) + 1
    return {name: count for name, count in counts.items() if count > 1}


def _entries(face: SyncFace, keys: Keys, sha: str) -> Iterator[tuple[str, Entry]]:
    cursor: Any = 0
    entries: dict[bytes, bytes] = {}
    while True:
        cursor, some = face.command("HSCAN", raw(keys.catalog(sha)), cursor, "COUNT", 200)
        entries |= some
        if int(cursor) == 0 or len(entries) >= FUNCTIONS_READ:
            break
    for name, entry in sorted(entries.items())[:FUNCTIONS_READ]:
        yield text(name), read_entry(entry) if len(entry) <= ENTRY_BYTES else Entry()
