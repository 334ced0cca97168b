"""How fast a worker ends 100,000 waiting tasks, beside one process that only sends the commands of such a life."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import load
import proc
from measure import Report, fresh_ids, say, window
from stage import Server, Worker, server
from table import Target, number, ratio_row

PIPELINE = 100


def measure(quick: bool) -> Report:
    total, rounds = (10_000, 2) if quick else (100_000, 5)
    report, rates, floors = Report(), [], []
    with server() as here:
        for turn in range(rounds):
            rate, costs = drain(here, total)
            floor = bare_drain(here, total)
            rates.append(rate)
            floors.append(floor)
            say(f"drain {turn + 1}/{rounds}: {number(rate)} tasks/s, floor {number(floor)}")
    report.rows.append(ratio_row(f"drain of {total:,} tasks", "tasks/s", rates, floors, Target(">=", 1.2)))
    used = ", ".join(f"{role} {seconds:.3f}" for role, seconds in costs.items())
    report.notes.append(f"CPU seconds per 1,000 tasks of the last drain: {used}.")
    return report


def drain(here: Server, total: int) -> tuple[float, dict[str, float]]:
    """Tasks per second, and CPU seconds per 1,000 tasks by role. Every task's stored result is checked."""
    here.wipe()
    ids = load.fill(here, total)
    with Worker(here) as worker:
        costs = _watch(here, worker, total)
    load.check_sums(here, ids)
    return rate_of([ended for (ended,) in load.times_of(here, ids, "finished-created") if ended]), costs


def rate_of(ends: Sequence[float]) -> float:
    """Tasks per second between the ends at both edges of the window."""
    ends = sorted(ends)
    first, last = window(len(ends))
    return (last - first) / (ends[last] - ends[first])


def _watch(here: Server, worker: Worker, total: int) -> dict[str, float]:
    """Waits until all is done; CPU seconds per 1,000 tasks of the window."""
    looks: list[tuple[int, dict[str, float]]] = []

    def look() -> int | None:
        left = load.left(here)
        done = total - left
        if (not looks and done >= total // 20) or (len(looks) == 1 and done >= total - total // 20):
            looks.append((done, _used(here, worker)))
        return left or None

    worker.wait_until(look)
    (before, first), (after, last) = looks
    return {role: (last[role] - first[role]) / (after - before or 1) * 1000 for role in last}


def _used(here: Server, worker: Worker) -> dict[str, float]:
    roles = {"Redis": [here.pid], **worker.roles()}
    return {role: sum(map(proc.cpu_seconds, pids)) for role, pids in roles.items()}


def bare_drain(here: Server, total: int) -> float:
    """Tasks per second of the floor: the commands of a task's life, of 100 tasks in each pipeline."""
    here.wipe()
    ids = fresh_ids(total)
    ends = []
    for start in range(0, total, PIPELINE):
        pipeline = here.redis.pipeline(transaction=False)
        for id in ids[start : start + PIPELINE]:
            _live(pipeline, id)
        pipeline.execute()
        ends.append(perf_counter())
    return rate_of(ends) * PIPELINE


def _live(pipeline: Any, id: str) -> None:
    key = f"bare:task:{id}"
    pipeline.hset(key, mapping={"function": "add", "state": "pending", "args": '{"a":1,"b":2}'})
    pipeline.lpush("bare:default:pending", id)
    pipeline.lmove("bare:default:pending", "bare:default:executing", "RIGHT", "LEFT")
    pipeline.hset(key, mapping={"state": "finished", "result": "successful", "result-value": "3"})
    pipeline.lrem("bare:default:executing", 1, id)
    pipeline.publish("bare:results", key)
