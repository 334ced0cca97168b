"""What becomes of each entry that claim looks at, from the table in protocol/README.md, section 3. Sends nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from properties.model import (
    HASH_FORGOTTEN,
    HASH_GRACE,
    HASH_LOOK,
    RESULT_FIELDS,
    SPOILT,
    Fields,
    Hold,
    Queue,
    Span,
    Taken,
    Text,
    Worker,
    World,
)

NUMBERS = {
    "time-limit": r"\d+\.?\d*",
    "memory-limit": r"\d+",
    "retries": r"\d+",
    "retry-delay": r"\d+\.?\d*",
    "retry-backoff": r"\d+\.?\d*",
    "result-ttl": r"keep|\d+\.?\d*",
}
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
Left = Callable[[str], int]
"""How many entries the call left in a list, by its name behind the prefix."""


def refusal(task: Fields, attempts: int, now: str, is_cut: bool) -> str | None:
    """The code with which a task that cannot be run ends."""
    if ("cancelled-created" in task and "result" not in task) or (is_cut and "function" in task):
        return "cancelled"
    wrong = any(not re.fullmatch(form, task.get(name, "0")) for name, form in NUMBERS.items())
    expires = task.get("expires", now)
    if "function" not in task or wrong or not re.fullmatch(MOMENT, expires):
        return "bad-task"
    if "expires" in task and attempts == 0 and expires <= now:
        return "expired"
    return None if task.get("state", "pending") in ("pending", "executing") else "bad-task"


class Claiming:
    """One call of claim. How far it looks is open in the protocol, so `left` tells it; what it does there is not.

    wait: which wait of the worker it stands behind; 0: behind none.
    """

    def __init__(self, world: World, worker: Worker, request: int, wait: int) -> None:
        self._world, self._worker, self._request, self._behind = world, worker, request, wait
        self._mark = f"{worker.name}/{wait}:{request}." if wait else f"{worker.name}/{request}."
        self._seen: set[bytes] = set()
        # Of each entry is decided while reading; what then becomes of it may forget others.
        self._waiting = {name: dict(place.waiting) for name, place in world.queues.items()}
        self.looked = 0
        self.tasks: list[Taken] = []

    def again(self) -> list[Taken]:
        """What a repeated request answers: the tasks of the first, as far as they are held."""
        held = [(id, hold) for id, hold in self._worker.held.items() if hold.claim.startswith(self._mark)]
        held.sort(key=lambda it: int(it[1].claim.rpartition(".")[2]))
        return [self._taken(id, hold) for id, hold in held if "function" in self._world.tasks.get(id, {})]

    def _taken(self, id: bytes, hold: Hold) -> Taken:
        attempts, lost, retried = (self._world.number(id, name) for name in ("attempts", "lost", "retried"))
        return Taken(id, hold.queue, hold.claim, attempts, lost, retried)

    def run(self, queues: Sequence[str], left: Left) -> None:
        self._worker.requests[self._behind] = self._request
        for name in queues:
            place = self._world.queues[name]
            self._take_off(name, place.arrived, left(f"{name}:arrived"))
            for function in [f for f in place.parked if f in self._worker.functions]:
                self._take_off(name, place.parked[function], left(f"{name}:parked:{function}"))
                if not place.parked[function]:
                    del place.parked[function]
            self._take_off(name, place.pending, left(f"{name}:pending"))

    def _take_off(self, queue: str, entries: list[bytes], keep: int) -> None:
        while len(entries) > keep:
            self._look(queue, entries.pop())

    def _look(self, queue: str, id: bytes) -> None:
        place = self._world.queues[queue]
        self.looked += 1
        fate, code = self._fate(queue, id)
        if fate != "wait" and id not in self._seen:
            place.drop_waiting(id)
        self._seen.add(id)
        getattr(self, f"_{fate}")(queue, id, code)

    def _fate(self, queue: str, id: bytes) -> tuple[str, Any]:
        world, task, place = self._world, self._world.tasks.get(id), self._world.queues[queue]
        if id in self._seen:
            return "drop", None
        if len(id) > 255 or task is SPOILT:
            return "quarantine", None
        if task is None:
            return self._without_hash(place, id), None
        if task.get("state") == "finished":
            return "over", None
        if self._runs_elsewhere(place, id, task) or place.is_early(id, world.now):
            return "drop", None
        if code := refusal(task, world.number(id, "attempts"), world.moment(), self._is_cut(queue, task)):
            return "fail", code
        return ("later" if world.number(id, "lost") >= 2 and self._has_another_suspect(id) else "take"), None

    def _without_hash(self, place: Queue, id: bytes) -> str:
        first = self._waiting[place.name].get(id)
        return "quarantine" if first is not None and self._world.now - first >= HASH_GRACE else "wait"

    def _runs_elsewhere(self, place: Queue, id: bytes, task: Fields) -> bool:
        if task.get("state") != "executing":
            return False
        holder = self._world.workers.get(task.get("worker", ""))
        if holder is not None and not holder.sealed and id in holder.held:
            return True
        return "claim" not in task and place.executing[id] > 0

    def _is_cut(self, queue: str, task: Fields) -> bool:
        cutoffs = [
            self._world.cutoffs.get(f"queue:{queue}"),
            self._world.cutoffs.get(f"function:{task.get('function')}"),
        ]
        return any(cutoff is not None and task.get("pending-created", "~") <= cutoff for cutoff in cutoffs)

    def _has_another_suspect(self, id: bytes) -> bool:
        suspect = self._worker.suspect
        return suspect is not None and suspect != id and suspect in {*self._worker.held, *self._seen}

    # The fates.

    def _drop(self, queue: str, id: bytes, code: Any) -> None: ...

    def _over(self, queue: str, id: bytes, code: Any) -> None:
        self._world.bury(id)

    def _quarantine(self, queue: str, id: bytes, code: Any) -> None:
        self._world.queues[queue].quarantine.insert(0, id[:255])

    def _wait(self, queue: str, id: bytes, code: Any) -> None:
        place, now = self._world.queues[queue], self._world.now
        place.waiting = {id: at for id, at in place.waiting.items() if now - at < HASH_FORGOTTEN}
        place.waiting.setdefault(id, now)
        place.scheduled[id] = Span(now + HASH_LOOK, now + HASH_LOOK)

    def _later(self, queue: str, id: bytes, code: Any) -> None:
        self._world.queues[queue].scheduled[id] = Span(self._world.now + 1000, self._world.now + 1000)

    def _fail(self, queue: str, id: bytes, code: str) -> None:
        task = self._world.tasks[id]
        for name in ("claim", "result-value", "error-exception"):
            task.pop(name, None)
        if not re.fullmatch(NUMBERS["result-ttl"], task.get("result-ttl", "keep")):
            ttl = task.pop("result-ttl")
            self._world.end(id, queue, _failure(queue, code))
            task["result-ttl"] = ttl
        else:
            self._world.end(id, queue, _failure(queue, code))

    def _take(self, queue: str, id: bytes, code: Any) -> None:
        world, task = self._world, self._world.tasks[id]
        hold = Hold(f"{self._mark}{len(self.tasks) + 1}", queue)
        if "result" in task:
            for name in RESULT_FIELDS:
                task.pop(name, None)
        attempts = str(world.number(id, "attempts") + 1)
        taken = {"worker": self._worker.name, "claim": hold.claim, "queue": queue, "attempts": attempts}
        task.update({**taken, "state": "executing", "executing-created": world.moment()})
        world.lives[id] = None
        self._worker.held[id] = hold
        if world.number(id, "lost") >= 2:
            self._worker.suspect = id
        world.queues[queue].executing[id] += 1
        self.tasks.append(self._taken(id, hold))


def _failure(queue: str, code: str) -> Fields:
    return {"result": "failed", "error-code": code, "error-reason": Text(), "queue": queue}
