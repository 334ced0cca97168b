"""What a server really holds, whole, as the tables name it; and whether a model agrees. Writes nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from properties.model import SPOILT, Fields, Hold, Queue, Span, World

TABLES = Path(__file__).parents[3] / "protocol" / "tables"
_PARTS = {"app": rb"p", "queue": rb"(?P<queue>a|default)", "id": rb"(?P<name>.*)", "sha": rb"(?P<name>[0-9a-z]+)"}
_READ = {"hash": "HGETALL", "list": "LRANGE", "zset": "ZRANGE", "set": "SMEMBERS", "string": "GET", "stream": "XRANGE"}
_MORE = {"list": (0, -1), "zset": (0, -1, "WITHSCORES"), "stream": ("-", "+")}


def _table(table: str) -> Any:
    return json.loads((TABLES / table).read_text("utf-8"))


def _pattern(text: str) -> re.Pattern[bytes]:
    parts = re.split(r"\{(\w+)\}", text)
    made = [_PARTS.get(p, rb"(?P<name>\S+)") if n % 2 else re.escape(p.encode()) for n, p in enumerate(parts)]
    return re.compile(b"".join(made), re.DOTALL)


KEYS = [(key["name"], key["type"], _pattern(key["pattern"])) for key in _table("keys.json")["keys"]]
FIELDS = {entry["key"]: {one["name"] for one in entry["fields"]} for entry in _table("fields.json")["hashes"]}


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def named(key: bytes) -> tuple[str, str, str, bytes]:
    """The name and type of a key in the tables, the queue in it, and what else; fails for a key that is in none."""
    for name, kind, pattern in KEYS:
        if kind != "channel" and (match := pattern.fullmatch(key)):
            groups = match.groupdict()
            return name, kind, text(groups.get("queue") or b""), groups.get("name") or b""
    raise AssertionError(f"the tables know no key {key!r}")


@dataclass
class Seen:
    """Every key of a server that has only the prefix p."""

    tasks: dict[bytes, Fields] = field(default_factory=dict)
    lives: dict[bytes, float | None] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    held: dict[str, dict[bytes, Hold]] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    requests: dict[str, Counter[int]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    duties: Fields = field(default_factory=dict)
    stops: dict[str, set[str]] = field(default_factory=dict)
    cutoffs: Fields = field(default_factory=dict)
    cancels: list[bytes] = field(default_factory=list)
    logs: dict[bytes, list[str]] = field(default_factory=dict)

    def take(self, key: bytes, value: Any, left_ms: int) -> None:
        name, _, queue, rest = named(key)
        getattr(self, f"_{name.replace('-', '_')}", lambda *_: None)(
            self.queues.setdefault(queue, Queue(queue)), rest, value, left_ms
        )

    def _task(self, _: Queue, id: bytes, value: Any, left_ms: int) -> None:
        if not isinstance(value, dict):
            self.tasks[id], self.lives[id] = SPOILT, None
            return
        self.tasks[id] = _fields("task", value)
        self.lives[id] = None if left_ms < 0 else left_ms / 1000

    def _pending(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.pending = value

    def _arrived(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.arrived = value

    def _executing(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.executing = Counter(value)

    def _scheduled(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.scheduled = {id: Span(at, at) for id, at in _scores(value).items()}

    def _waiting(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.waiting = _scores(value)

    def _unclaimed(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.unclaimed = _scores(value)

    def _parked(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        for function in _scores(value):
            queue.parked.setdefault(text(function), [])

    def _parked_tasks(self, queue: Queue, function: bytes, value: Any, left_ms: int) -> None:
        queue.parked[text(function)] = value

    def _failed(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.failed = _scores(value)

    def _quarantine(self, queue: Queue, _: bytes, value: Any, left_ms: int) -> None:
        queue.quarantine = value

    def _held(self, _: Queue, worker: bytes, value: Any, left_ms: int) -> None:
        pairs = {id: text(hold).partition(" ") for id, hold in value.items()}
        self.held[text(worker)] = {id: Hold(claim, queue) for id, (claim, _, queue) in pairs.items()}

    def _worker(self, _: Queue, worker: bytes, value: Any, left_ms: int) -> None:
        waits = {name: number for name, number in value.items() if name.startswith(b"request:")}
        own = _fields("worker", {name: item for name, item in value.items() if name not in waits}).get("request", 0)
        self.requests[text(worker)] = Counter({0: int(own), **{int(name[8:]): int(it) for name, it in waits.items()}})

    def _workers(self, _: Queue, __: bytes, value: Any, left_ms: int) -> None:
        self.leases = {text(worker): at for worker, at in _scores(value).items()}

    def _queues(self, _: Queue, __: bytes, value: Any, left_ms: int) -> None:
        self.known = {text(name) for name in value}

    def _duties(self, _: Queue, __: bytes, value: Any, left_ms: int) -> None:
        self.duties = {text(name): text(item) for name, item in value.items()}

    def _cutoffs(self, _: Queue, __: bytes, value: Any, left_ms: int) -> None:
        self.cutoffs = {text(name): text(moment) for name, moment in value.items()}

    def _cancel(self, _: Queue, __: bytes, value: Any, left_ms: int) -> None:
        self.cancels = value

    def _log(self, _: Queue, id: bytes, value: Any, left_ms: int) -> None:
        assert left_ms > 0
        self.logs[id] = [text(entry[b"m"]) for _, entry in value]

    def _stop(self, _: Queue, worker: bytes, value: Any, left_ms: int) -> None:
        self.stops[text(worker)] = {text(claim) for claim in value}


def _fields(key: str, value: dict[bytes, bytes]) -> Fields:
    fields = {text(name): text(item) for name, item in value.items()}
    assert set(fields) <= FIELDS[key], f"the tables know no such field of a {key}: {set(fields) - FIELDS[key]}"
    return fields


def _scores(value: list[tuple[bytes, float]]) -> dict[bytes, int]:
    assert all(score == int(score) for _, score in value), f"a score that is no whole number: {value}"
    return {name: int(score) for name, score in value}


def look(client: Any) -> Seen:
    """Reads all of it in two round trips."""
    keys = client.keys("*")
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        kind = named(key)[1]
        pipeline.execute_command(_READ[kind], key, *_MORE.get(kind, ()))
        pipeline.pttl(key)
    replies = pipeline.execute(raise_on_error=False)
    seen = Seen()
    for n, key in enumerate(keys):
        value, left = replies[2 * n : 2 * n + 2]
        pairs = value if not (named(key)[1] == "zset" and value and isinstance(value[0], bytes)) else _paired(value)
        seen.take(key, pairs, left)
    return seen


def _paired(flat: list[bytes]) -> list[tuple[bytes, float]]:
    return [(flat[n], float(flat[n + 1])) for n in range(0, len(flat), 2)]


# Agreement: what was seen against a model. What the protocol leaves open is taken over from what was seen.


def agree(world: World, seen: Seen) -> None:
    same("tasks", seen.tasks, world.tasks)
    assert_lives(world.lives, seen.lives)
    for name, queue in world.queues.items():
        there = seen.queues.get(name, Queue(name))
        settle_adopted(queue.pending, there.pending, world.adopted.pop(name, 0))
        settle_moments(name, queue.scheduled, there.scheduled)
        for place in vars(queue):
            same(f"{name}:{place}", getattr(there, place), getattr(queue, place))
    workers = world.workers.values()
    same("held", seen.held, {worker.name: worker.held for worker in workers if worker.held})
    same("requests", seen.requests, {worker.name: worker.requests for worker in workers})
    same("workers", {name: max(lease, -1) for name, lease in seen.leases.items()}, {w.name: w.lease for w in workers})
    assert all(lease != -2 or not world.workers[name].held for name, lease in seen.leases.items())
    same("stop", seen.stops, {worker.name: worker.stops for worker in workers if worker.stops})
    for place in ("known", "cutoffs", "cancels", "logs"):
        same(place, getattr(seen, place), getattr(world, place))


def same(name: str, there: Any, wanted: Any) -> None:
    assert there == wanted, f"{name}: the server has {there!r}, the protocol {wanted!r}"


def settle_adopted(wanted: list[bytes], there: list[bytes], count: int) -> None:
    """Those that recover has just taken to the front stand there in any order."""
    if count and Counter(wanted[-count:]) == Counter(there[-count:]):
        wanted[-count:] = there[-count:]


def settle_moments(queue: str, wanted: dict[bytes, Span], there: dict[bytes, Span]) -> None:
    """Moments that the protocol leaves open become the ones that are there."""
    for id, span in there.items():
        if id in wanted:
            assert wanted[id].first <= span.first <= wanted[id].last, (queue, id, span, wanted[id])
            wanted[id] = span


def assert_lives(wanted: dict[bytes, float | None], there: dict[bytes, float | None]) -> None:
    assert set(wanted) == set(there)
    for id, life in wanted.items():
        left = there[id]
        fits = (left is None) if life is None else (left is not None and life - 120 < left <= life)
        assert fits, f"{id!r} has a life of {left} s; it should be {life}"
