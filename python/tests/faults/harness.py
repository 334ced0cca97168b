"""What every row of the fault suite is judged by: one invariant, in one place. Breaks nothing itself."""

import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from doshit import Doshit
from doshit.errors import ServerError
from worker.workers import PATIENCE, Worker, World, until

TASKS = f"{Path(__file__).parent / 'tasks.py'}:app"
QUIET = 15.0
"""Seconds after quiet in which `executing` must be empty."""
NEVER_RUNS = {"cancelled", "expired", "bad-args", "bad-task", "unknown-function", "worker-lost"}
"""Codes with which a task may end that no run was written down for."""
KEYS = ("protocol", "workers", "queues", "duties", "cutoffs")
QUEUE_KEYS = ("failed",)
DESCRIPTORS_MORE = 3


@dataclass
class Runs:
    """The ledger, read: when each task began and ended, by the clock that all processes of this machine share."""

    begun: dict[str, list[float]]
    ended: dict[str, list[float]]
    words: dict[str, list[tuple[str, int, float]]]


class Ledger:
    """An append-only file that the tasks write: outside the Redis under test, so no fault there can touch it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> Runs:
        begun: dict[str, list[float]] = defaultdict(list)
        ended: dict[str, list[float]] = defaultdict(list)
        words: dict[str, list[tuple[str, int, float]]] = defaultdict(list)
        # A line that has no end yet is still being written.
        whole, _, _ = (self.path.read_text() if self.path.exists() else "").rpartition("\n")
        for line in whole.splitlines():
            word, id, pid, at = line.split(" ")
            words[id].append((word, int(pid), float(at)))
            if word in ("begin", "end"):
                (begun if word == "begin" else ended)[id].append(float(at))
        return Runs(begun, ended, words)

    def count(self) -> int:
        """How many runs have begun."""
        return sum(map(len, self.read().begun.values()))

    def await_begun(self, ids: Iterable[str], times: int = 1, seconds: float = PATIENCE) -> None:
        """Waits until each of these has begun so often."""
        ids = list(ids)

        def all_begun() -> bool:
            begun = self.read().begun
            return all(len(begun.get(id, ())) >= times for id in ids)

        until(all_begun, seconds, f"{len(ids)} tasks have begun {times} times")


@dataclass(frozen=True)
class Size:
    """What a worker costs its machine: the descriptors and the anonymous memory of the processes that last."""

    descriptors: int
    memory: int

    @classmethod
    def of(cls, worker: Worker) -> "Size":
        pids = worker.lasting()
        return cls(sum(map(_descriptors, pids)), sum(map(_memory, pids)))


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _memory(pid: int) -> int:
    try:
        match = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0


@dataclass
class Scene:
    """One app under a fault: what Redis accepted for it, its workers, its ledger. check() is the invariant.

    accepted: ids whose LPUSH (or submit) was acknowledged; unsure: those whose acknowledgement may have been lost,
    which may be there or not, but not half.
    """

    world: World
    app: Doshit
    ledger: Ledger
    start: Callable[..., Worker]
    accepted: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    sizes: dict[int, Size] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    """Keys of the app that the row itself made."""

    # Producing

    def submit(self, count: int = 1, function: str = "work", **args: Any) -> list[str]:
        """Accepted tasks, made by the library. Their ids."""
        given = {"ledger": str(self.ledger), **args}
        ids = [handle.id for handle in self.app.enqueue_many([self.app.job(function, given) for _ in range(count)])]
        self.accepted += ids
        return ids

    def submit_one(self, function: str = "work", options: dict[str, Any] | None = None, **args: Any) -> str:
        """One accepted task, with options of the library."""
        id = self.app.enqueue(function, {"ledger": str(self.ledger), **args}, **(options or {})).id
        self.accepted.append(id)
        return id

    def submit_unsurely(self, count: int, function: str, options: dict[str, Any], **args: Any) -> list[str]:
        """Like submit, at a moment when Redis may be away: what was not acknowledged is unsure."""
        given = {"ledger": str(self.ledger), **args}
        jobs = [self.app.job(function, given, **options) for _ in range(count)]
        ids = [job.id for job in jobs]
        try:
            self.app.enqueue_many(jobs)
        except (ServerError, OSError):
            self.unsure += ids
        else:
            self.accepted += ids
        return ids

    def push(self, *ids: str, function: str = "work", **args: Any) -> list[str]:
        """Accepted tasks, made by two plain commands each."""
        given = {"ledger": str(self.ledger), **args}
        self.world.push_all([(id, function, given) for id in ids])
        self.accepted += ids
        return list(ids)

    # Workers

    def worker(self, *queues: str, children: int = 2, **more: Any) -> Worker:
        """Starts one, and notes what it costs once it stands."""
        worker = self.start(*queues, children=children, target=TASKS, **more)
        if more.get("ready", True):
            until(lambda: worker.is_whole(children), what="its processes are born")
            self.sizes[worker.pid] = Size.of(worker)
        self.workers.append(worker)
        return worker

    def kill(self, worker: Worker, whole: bool = False) -> float:
        """Kills a supervisor as a crash would, or its whole tree, and waits until no process is left. When."""
        if whole:
            for pid in worker.tree():
                kill(pid)
        at = time.monotonic()
        worker.kill()
        self.bury(worker)
        return at

    def bury(self, worker: Worker) -> None:
        """Forgets a dead worker. No process of it may be left."""
        self.workers.remove(worker)
        until(lambda: not worker.tree(), 5, "no process of the dead worker is left")

    # Judging

    def check(self, seconds: float = PATIENCE, quiet: float = QUIET) -> None:
        """Waits for the end of all, and asserts the invariant of the suite."""
        self._await_ends(seconds)
        self._await_rest(quiet)
        tasks = self._read(self.accepted)
        self._assert_ends(tasks)
        self._assert_runs(tasks)
        self._assert_no_stray_key()
        self._assert_flat()

    def _await_ends(self, seconds: float) -> None:
        ids = list(dict.fromkeys(self.accepted))
        self.world.all_ended(ids, seconds)
        there = [id for id in self.unsure if self.world.client.hexists(self.world.task_key(id), "queue")]
        self.world.all_ended(there, seconds)
        self.accepted += there
        self.unsure = []

    def _await_rest(self, seconds: float) -> None:
        for queue in self._queues():
            self.world.at_rest(seconds, queue)
            scheduled = self.world.key(queue, "scheduled")
            until(partial(self._is_empty, scheduled), seconds, f"{scheduled} is empty")

    def _is_empty(self, zset: str) -> bool:
        return not self.world.client.zcard(zset)

    def _queues(self) -> list[str]:
        return sorted(queue.decode() for queue in self.world.client.smembers(self.world.key("queues")))

    def _read(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        return {id: self.world.task(id) for id in ids}

    def _assert_ends(self, tasks: dict[str, dict[str, str]]) -> None:
        for id, task in tasks.items():
            assert task.get("state") == "finished", (id, task)
            assert task.get("result") in ("successful", "failed"), (id, task)
            if task["result"] == "failed":
                assert task.get("error-code"), (id, task)
                assert task.get("error-reason"), (id, task)
            else:
                assert "result-value" in task, (id, task)
                assert json.loads(task["result-value"]) in (id, None), f"{id} has another's result: {task}"
            assert "claim" not in task or task["worker"] in task["claim"], (id, task)

    def _assert_runs(self, tasks: dict[str, dict[str, str]]) -> None:
        runs = self.ledger.read()
        for id, task in tasks.items():
            if task.get("error-code") not in NEVER_RUNS and task.get("error-code") != "exited":
                assert runs.begun.get(id), f"{id} ended as {task['result']} and never ran: {task}"
            if task["result"] == "successful":
                assert runs.ended.get(id), f"{id} is successful and no run of it came to its end: {task}"

    def _assert_no_stray_key(self) -> None:
        stray: set[str] = set()

        def none_stray() -> bool:
            stray.clear()
            stray.update(self._stray_keys())
            return not stray

        try:
            until(none_stray, QUIET)
        except AssertionError:
            raise AssertionError(f"keys that nothing stands for any more: {sorted(stray)}") from None

    def _stray_keys(self) -> set[str]:
        known = {self.world.key(name) for name in KEYS} | self.strangers
        known |= {self.world.key(queue, name) for queue in self._queues() for name in QUEUE_KEYS}
        ids = {self.world.task_key(id).decode() for id in [*self.accepted, *self.unsure]}
        ids |= {self.world.key("log", id) for id in self.accepted}
        workers = {id.decode() for id in self.world.client.zrange(self.world.key("workers"), 0, -1)}
        known |= ids | {self.world.key("worker", id) for id in workers}
        found = {key.decode() for key in self.world.client.scan_iter(self.world.key("*"), count=1000)}
        # Catalogs, the hashes of dead workers and what they were asked to stop fade by themselves.
        fading = tuple(self.world.key(name, "") for name in ("catalog", "worker", "stop"))
        return {key for key in found - known if not (key.startswith(fading) and self.world.client.pttl(key) > 0)}

    def _assert_flat(self) -> None:
        for worker in self.workers:
            before = self.sizes.get(worker.pid)
            if before is None or worker.process.poll() is not None:
                continue
            until(partial(is_no_larger, worker, before), 10, f"a worker is as small as it was: {before}")
            assert Size.of(worker).memory <= before.memory + worker.memory_more, (before, Size.of(worker))

    def pids_of(self, ids: Iterable[str]) -> set[int]:
        """The processes in which these were seen last."""
        words = self.ledger.read().words
        return {words[id][-1][1] for id in ids}

    # Figures

    def fields_of(self, ids: Iterable[str], *names: str) -> list[list[str | None]]:
        return self.world.fields(ids, *names)

    def attempts(self, ids: Iterable[str]) -> Counter[str | None]:
        return Counter(attempts for (attempts,) in self.fields_of(ids, "attempts"))

    def losses(self, ids: Iterable[str]) -> int:
        return sum(int(lost or 0) for (lost,) in self.fields_of(ids, "lost"))

    def run_again_after(self, ids: Iterable[str], at: float) -> list[float]:
        """Seconds from a moment to the first begin of each task after it, shortest first."""
        begun = self.ledger.read().begun
        return sorted(min(when for when in begun[id] if when > at) - at for id in ids)

    def ran_once(self, ids: Iterable[str]) -> None:
        begun = self.ledger.read().begun
        twice = {id: len(begun.get(id, ())) for id in ids if len(begun.get(id, ())) != 1}
        assert not twice, f"{len(twice)} tasks ran more or less than once, as {dict(list(twice.items())[:5])}"


def is_no_larger(worker: Worker, before: Size) -> bool:
    """Whether a worker has no more descriptors open than at its start, but for a few connections."""
    return Size.of(worker).descriptors <= before.descriptors + DESCRIPTORS_MORE


def kill(pid: int, number: int = 9) -> None:
    """Signals a process, which may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def spread(seconds: Sequence[float]) -> str:
    """Median and maximum, for the table."""
    ordered = sorted(seconds)
    return f"median {ordered[len(ordered) // 2]:.2f} s, maximum {ordered[-1]:.2f} s (n={len(ordered)})"
