"""The protocol as plain Python, as protocol/README.md says: what each transition answers and leaves. Sends nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

START = 1_600_000_000_000
"""Where the clock of a model begins, ms since 1970. Tests hand the time in, so nothing waits for it."""
DAY, WEEK, HOUR = 86_400, 604_800, 3_600_000
LOSSES, LEASE, AMNESTY, GAP = 3, 10_000, 5_000, 3_000
HASH_LOOK, HASH_GRACE, HASH_FORGOTTEN, UNCLAIMED = 250, 5_000, 60_000, 5_000
SPOILT: dict[str, Any] = {"this key": "is no hash"}
RESULT_FIELDS = (
    "result", "result-value", "finished-created", "error-code", "error-reason", "error-exception", "cancelled-created",
)  # fmt: skip
RUN_FIELDS = (
    "executing-created", "worker", "claim", "attempts", "lost", "retried", "failures", "unknown-since", "progress",
    "output", "cpu-time", "memory-peak",
)  # fmt: skip
FAILURES_KEPT = 10


class Text:
    """Equals any text of one line that a person can read: the words of a reason are no promise."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other != "" and other.isprintable()

    def __repr__(self) -> str:
        return "(any line)"


class Json:
    """Equals any text that is JSON of this value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other) == self.value

    def __repr__(self) -> str:
        return f"(JSON of {self.value!r})"


class Hold(NamedTuple):
    """A taking of a task: by its claim, from its queue."""

    claim: str
    queue: str


class Taken(NamedTuple):
    """A task as claim answers it, but for what its producer wrote."""

    id: bytes
    queue: str
    claim: str
    attempts: int
    lost: int
    retried: int


class Span(NamedTuple):
    """A moment that the protocol leaves open: from `first` to `last`, ms, both included."""

    first: int
    last: int


@dataclass
class Queue:
    """The places of one queue. Right ends are the front, as in Redis."""

    name: str = ""
    pending: list[bytes] = field(default_factory=list)
    arrived: list[bytes] = field(default_factory=list)
    executing: Counter[bytes] = field(default_factory=Counter)
    scheduled: dict[bytes, Span] = field(default_factory=dict)
    waiting: dict[bytes, int] = field(default_factory=dict)
    unclaimed: dict[bytes, int] = field(default_factory=dict)
    parked: dict[str, list[bytes]] = field(default_factory=dict)
    failed: dict[bytes, int] = field(default_factory=dict)
    quarantine: list[bytes] = field(default_factory=list)

    def leave_executing(self, id: bytes) -> None:
        """One entry of it goes, if there is one."""
        if self.executing[id]:
            self.executing[id] -= 1
        self.executing = +self.executing

    def is_early(self, id: bytes, now: int) -> bool:
        return id in self.scheduled and self.scheduled[id].first > now

    def drop_waiting(self, id: bytes) -> None:
        self.waiting.pop(id, None)


@dataclass
class Worker:
    """A worker with its lease (ms; below 0: sealed), what it serves and what it holds.

    requests: the number of the last, of its own (0) and of each of its waits (1, 2, ...).
    """

    name: str
    functions: frozenset[str]
    queues: tuple[str, ...]
    lease: int
    held: dict[bytes, Hold] = field(default_factory=dict)
    requests: Counter[int] = field(default_factory=Counter)
    suspect: bytes | None = None
    stops: set[str] = field(default_factory=set)

    @property
    def sealed(self) -> bool:
        return self.lease < 0


Fields = dict[str, Any]


class World:
    """One application: its clock, its tasks with their lives (seconds; None: for ever), its queues and workers."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.now = START
        self.tasks: dict[bytes, Fields] = {}
        self.lives: dict[bytes, float | None] = {}
        self.queues = {name: Queue(name) for name in queues}
        self.known: set[str] = set()
        self.workers: dict[str, Worker] = {}
        self.recovered: int | None = None
        self.amnesty_until = 0
        self.promoted: int | None = None
        self.cutoffs: dict[str, str] = {}
        self.cancels: list[bytes] = []
        self.logs: dict[bytes, list[str]] = {}
        self.told: list[bytes] = []
        self.adopted: Counter[str] = Counter()

    # What the transitions share.

    def moment(self) -> str:
        """Now in the one form."""
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.now)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def number(self, id: bytes, name: str) -> int:
        return int(self.tasks.get(id, {}).get(name, 0))

    def live(self) -> list[Worker]:
        """Those whose lease is not over."""
        return [worker for worker in self.workers.values() if worker.lease >= self.now]

    def serves(self, queue: str, function: str, but: Worker | None = None) -> bool:
        return any(w is not but and queue in w.queues and function in w.functions for w in self.live())

    def standing(self, id: bytes, claim: str) -> str:
        """What the hash says of this claim: mine, passed, gone, spoilt."""
        task = self.tasks.get(id)
        if task is SPOILT:
            return "spoilt"
        if task is None or not ("claim" in task or "state" in task):
            return "gone"
        was_stripped = "claim" not in task and task["state"] not in ("pending", "finished")
        return "mine" if task.get("claim") == claim or was_stripped else "passed"

    def end(self, id: bytes, queue: str, fields: Mapping[str, Any]) -> None:
        """Result, lifetime and message of one end."""
        task = self.tasks.setdefault(id, {})
        task.update({"state": "finished", "finished-created": self.moment(), **fields})
        failed = task["result"] == "failed" and task.get("error-code") != "cancelled"
        own = task.get("result-ttl")
        default = WEEK if failed else DAY
        self.lives[id] = None if own == "keep" else float(own) if own is not None else default
        if failed:
            self.queues[queue].failed[id] = self.now
        self.told.append(id)

    def bury(self, id: bytes) -> None:
        """The entry of a task that is over is dropped: one that was cancelled while it waited gets its lifetime now."""
        own = self.tasks[id].get("result-ttl")
        if self.lives[id] is None and own != "keep":
            self.lives[id] = DAY if own is None or not re.fullmatch(r"\d+\.?\d*", own) else float(own)

    def back_to_pending(self, id: bytes, begun: bool) -> None:
        task = self.tasks[id]
        task["state"] = "pending"
        task.pop("claim", None)
        if not begun:
            task["attempts"] = str(self.number(id, "attempts") - 1)

    def let_go(self, worker: Worker, id: bytes) -> str:
        """The queue that the worker held it from."""
        queue = worker.held.pop(id).queue
        self.queues[queue].leave_executing(id)
        return queue

    def holds(self, worker: Worker, id: bytes, claim: str) -> bool:
        return id in worker.held and worker.held[id].claim == claim

    # Producers.

    def write(self, id: bytes, fields: Fields) -> None:
        """A plain HSET."""
        self.tasks.setdefault(id, {}).update(fields)
        self.lives.setdefault(id, None)

    def delete(self, id: bytes) -> None:
        self.tasks.pop(id, None)
        self.lives.pop(id, None)

    def spoil(self, id: bytes) -> None:
        """SET where a hash belongs."""
        self.tasks[id], self.lives[id] = SPOILT, None

    def submit(self, queue: str, id: bytes, function: str, args: str, delay: str, more: Fields) -> str:
        there = self.tasks.get(id, {})
        if there is SPOILT:
            return "wrong-type"
        if there.get("function", function) != function or there.get("args", args) != args:
            return "conflict"
        if "queue" in there or there.get("state") in ("executing", "finished"):
            return "exists"
        made = {"function": function, "args": args, "state": "pending", "queue": queue, **more}
        self.write(id, {**made, "pending-created": self.moment()})
        self.known.add(queue)
        place = self.queues[queue]
        if delay == "front":
            place.pending.append(id)
        elif delay:
            place.scheduled[id] = self.after(float(delay))
        else:
            place.pending.insert(0, id)
        return "created"

    def after(self, seconds: float) -> Span:
        return Span(self.now + int(seconds * 1000), self.now + int(seconds * 1000))

    # Ends and hand-backs of one worker.

    def finish(self, worker: Worker, id: bytes, claim: str, fields: Fields) -> str:
        if not self.holds(worker, id, claim):
            task = self.tasks.get(id, {})
            return "already" if (task.get("claim"), task.get("state")) == (claim, "finished") else "stale"
        stands = self.standing(id, claim)
        queue = self.let_go(worker, id)
        if stands in ("mine", "gone"):
            self.end(id, queue, fields)
            return "finished"
        if stands == "spoilt":
            self.queues[queue].quarantine.insert(0, id)
        return "stale"

    def release(self, worker: Worker, tasks: Iterable[tuple[bytes, str, str, bool]]) -> list[str]:
        words, fronts = [], []
        for id, claim, delay, begun in tasks:
            if not self.holds(worker, id, claim):
                words.append("stale")
                continue
            stands = self.standing(id, claim)
            queue = self.let_go(worker, id)
            words.append("stale" if stands == "passed" else "released")
            if stands == "mine":
                self.back_to_pending(id, begun)
            if stands != "passed" and delay:
                self.queues[queue].scheduled[id] = self.after(float(delay))
            elif stands != "passed":
                fronts.append((queue, id))
        for queue, id in reversed(fronts):
            self.queues[queue].pending.append(id)
        return words

    def retry(self, worker: Worker, id: bytes, claim: str, delay: str, failure: Fields | None) -> str:
        if not self.holds(worker, id, claim):
            return "stale"
        stands = self.standing(id, claim)
        queue = self.let_go(worker, id)
        if stands == "mine":
            delay = "0" if "cancelled-created" in self.tasks[id] else delay
            self._note_failure(id, failure)
        if stands == "passed":
            return "stale"
        self.queues[queue].scheduled[id] = self.after(float(delay))
        return "retried"

    def _note_failure(self, id: bytes, failure: Fields | None) -> None:
        self.back_to_pending(id, begun=True)
        task = self.tasks[id]
        task["retried"] = str(self.number(id, "retried") + 1)
        task.pop("progress", None)
        if failure is not None:
            earlier = task["failures"].value if "failures" in task else []
            task["failures"] = Json([*earlier, {**failure, "at": self.moment()}][-FAILURES_KEPT:])

    def note(self, worker: Worker, id: bytes, claim: str, progress: str, said: str) -> str:
        if not self.holds(worker, id, claim) or self.standing(id, claim) == "passed":
            return "stale"
        if self.standing(id, claim) == "mine" and progress:
            self.tasks[id]["progress"] = progress
        if self.logs.get(id, [])[-1:] != [said]:
            self.logs.setdefault(id, []).append(said)
        return "noted"

    def park(self, worker: Worker, grace: float, id: bytes, claim: str, function: str) -> str:
        if not self.holds(worker, id, claim):
            return "stale"
        stands, queue = self.standing(id, claim), worker.held[id].queue
        if stands != "mine":
            self.let_go(worker, id)
            if stands == "spoilt":
                self.queues[queue].quarantine.insert(0, id)
            return "stale"
        task, place = self.tasks[id], self.queues[queue]
        since = int(task.get("unknown-since", self.now))
        if self.serves(queue, function, but=worker):
            task.pop("unknown-since", None)
            place.parked.setdefault(function, []).insert(0, id)
            word = "parked"
        elif self.now - since >= grace * 1000:
            return "unknown"
        else:
            task["unknown-since"] = str(since)
            place.scheduled[id] = Span(self.now + 1, self.now + 1000)
            word = "waits"
        self.let_go(worker, id)
        self.back_to_pending(id, begun=False)
        return word

    def beat(self, worker: Worker) -> list[Any]:
        if worker.sealed:
            return ["sealed"]
        worker.lease = self.now + LEASE
        self.known.update(worker.queues)
        stops, worker.stops = worker.stops, set()
        return ["ok", len(worker.held), stops]

    # By hand.

    def cancel(self, id: bytes) -> str:
        task = self.tasks.get(id)
        if task is None or task is SPOILT:
            return "unknown" if task is None else "wrong-type"
        if task.get("state") == "finished":
            return "cancelled" if task.get("error-code") == "cancelled" else "finished"
        if task.get("state") == "executing":
            self._ask(task)
            return "asked"
        scheduled = self.queues[task["queue"]].scheduled if "queue" in task else {}
        was_scheduled = scheduled.pop(id, None)
        for name in ("claim", "result-value", "error-exception"):
            task.pop(name, None)
        self.end(id, task.get("queue", ""), {"result": "failed", "error-code": "cancelled", "error-reason": Text()})
        if not was_scheduled:
            self.lives[id] = None
        return "cancelled"

    def _ask(self, task: Fields) -> None:
        task.setdefault("cancelled-created", self.moment())
        if task.get("worker") in self.workers and "claim" in task:
            self.workers[task["worker"]].stops.add(task["claim"])

    def requeue(self, id: bytes) -> str:
        task = self.tasks.get(id)
        if task is None or task is SPOILT:
            return "unknown" if task is None else "wrong-type"
        if (task.get("state"), task.get("result")) != ("finished", "failed"):
            return "not-failed"
        queue = task.setdefault("queue", "default")
        if task.get("expires", "~") <= self.moment():
            del task["expires"]
        for name in (*RESULT_FIELDS, *RUN_FIELDS):
            task.pop(name, None)
        task.update({"state": "pending", "pending-created": self.moment()})
        self.lives[id] = None
        self.logs.pop(id, None)
        self.known.add(queue)
        self.queues[queue].failed.pop(id, None)
        self.queues[queue].scheduled.pop(id, None)
        self.queues[queue].pending.insert(0, id)
        return "requeued"

    def drop(self, id: bytes) -> str:
        task = self.tasks.get(id)
        if task is None or task is SPOILT:
            return "unknown" if task is None else "wrong-type"
        is_failure = (task.get("state"), task.get("result")) == ("finished", "failed")
        if not is_failure or task.get("error-code") == "cancelled":
            return "not-failed"
        self.delete(id)
        self.logs.pop(id, None)
        self.queues[task.get("queue", "default")].failed.pop(id, None)
        return "dropped"

    def seal(self, name: str) -> str:
        if name not in self.workers:
            return "unknown"
        word = "already" if self.workers[name].sealed else "sealed"
        self.workers[name].lease = -1
        return word

    # Duties.

    def _is_early(self, last: int | None, interval: int) -> bool:
        return last is not None and last <= self.now < last + interval

    def promote(self, interval: int) -> list[Any]:
        if self._is_early(self.promoted, interval):
            return ["early"]
        self.promoted, moved, freed = self.now, 0, 0
        for name in sorted(self.known):
            queue = self.queues[name]
            due = sorted((span.first, id) for id, span in queue.scheduled.items() if span.first <= self.now)
            for _, id in due:
                del queue.scheduled[id]
                queue.pending.insert(len(queue.pending) if self.number(id, "lost") else 0, id)
            moved += len(due)
            for function in [f for f in queue.parked if not self.serves(name, f)]:
                ids = queue.parked.pop(function)
                queue.pending += ids
                freed += len(ids)
        return ["promoted", moved, self._next_due(), freed, len(self.cancels)]

    def _next_due(self) -> int:
        """Ms to the next moment of any queue; -1 for none."""
        spans = [span.first for name in self.known for span in self.queues[name].scheduled.values()]
        return min(min(spans) - self.now, DAY * 1000) if spans else -1

    def recover(self, interval: int) -> list[Any]:
        if self._is_early(self.recovered, interval):
            return ["early"]
        last, self.recovered = self.recovered, self.now
        if last is None or self.now - last > GAP:
            self.amnesty_until = self.now + AMNESTY
        left = self.amnesty_until - self.now
        over = [w for w in self.workers.values() if 0 <= w.lease <= self.now] if left <= 0 else []
        for worker in over:
            worker.lease = -1
        counts = Counter(self._lose(w, id) for w in self.workers.values() if w.sealed for id in list(w.held))
        if left > 0:
            return ["amnesty", left, counts["back"], counts["failed"]]
        adopted = sum(self._scan(self.queues[name]) for name in sorted(self.known))
        return ["recovered", len(over), counts["back"], counts["failed"], adopted]

    def _lose(self, worker: Worker, id: bytes) -> str:
        """One task of a dead worker: back, failed, or neither."""
        stands = self.standing(id, worker.held[id].claim)
        queue = self.let_go(worker, id)
        task = self.tasks.get(id, {})
        if stands == "passed" or task.get("state") == "finished":
            return "left"
        if stands != "mine" or "function" not in task:
            self.queues[queue].quarantine.insert(0, id)
            return "left"
        self.back_to_pending(id, begun=True)
        lost = self.number(id, "lost") + 1
        task["lost"] = str(lost)
        was_cancelled = "cancelled-created" in task
        if was_cancelled or lost >= LOSSES:
            code = "cancelled" if was_cancelled else "worker-lost"
            self.end(id, queue, {"result": "failed", "error-code": code, "error-reason": Text()})
            return "failed"
        first = self.now + (lost - 1) * 1000
        self.queues[queue].scheduled[id] = Span(first, first + 500)
        return "back"

    def _is_held(self, id: bytes) -> bool:
        task = self.tasks.get(id, {})
        worker = self.workers.get(task.get("worker", ""))
        return worker is not None and "claim" in task and self.holds(worker, id, task["claim"])

    def _scan(self, queue: Queue) -> int:
        """What stands in executing and is held by nobody; how many went back."""
        adopted = 0
        for id in list(queue.executing.elements()):
            task = self.tasks.get(id, {})
            if task.get("state") == "finished":
                queue.leave_executing(id)
                self.bury(id)
            elif self._is_held(id):
                queue.unclaimed.pop(id, None)
            elif id not in queue.unclaimed:
                queue.unclaimed[id] = self.now
            elif self.now - queue.unclaimed[id] >= self._patience(task):
                adopted += 1
                self._adopt(queue, id, task)
        queue.unclaimed = {id: at for id, at in queue.unclaimed.items() if id in queue.executing}
        return adopted

    @staticmethod
    def _patience(task: Fields) -> int:
        return HOUR if task.get("state") == "executing" and "claim" not in task else UNCLAIMED

    def _adopt(self, queue: Queue, id: bytes, task: Fields) -> None:
        queue.leave_executing(id)
        del queue.unclaimed[id]
        if "state" in task:
            self.back_to_pending(id, begun=True)
        queue.pending.append(id)
        self.adopted[queue.name] += 1
