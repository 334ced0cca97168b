"""How fast a cancel is: of a task that runs, until its waiter is answered; of one that waits among a million.

A script of its own, as its figures have no floor in bare Redis: python benchmarks/safety.py [--quick]
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from statistics import median

import load
import tasks
from measure import Report, say
from stage import PREFIX, Server, Worker, server
from table import Row, Target, markdown, number, ratio_row

from doshit import Doshit, TaskFailed

SECONDS = 60.0
"""How long a run would take that nobody cancels."""
PATIENCE = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how fast tasks are cancelled.")
    parser.add_argument("--quick", action="store_true", help="small numbers, for a look while changing things")
    quick = parser.parse_args().quick
    rows = measure(quick).rows
    print(markdown(rows))
    return 0 if all(row.met for row in rows) else 1


def measure(quick: bool) -> Report:
    running, many, few, rounds = (30, 20_000, 1_000, 5) if quick else (200, 1_000_000, 1_000, 15)
    return Report([*_running_rows(running), _pending_row(many, few, rounds)])


# Running


def _running_rows(count: int) -> list[Row]:
    with server() as here, Worker(here, concurrency=2), _app(here) as app:
        work = app.task(tasks.work)
        work.enqueue(0.0).result(PATIENCE)
        taken = sorted(_answered_after(app, here) for _ in range(count))
    say(f"cancel of {count} running tasks: median {1000 * taken[count // 2]:.0f} ms, most {1000 * taken[-1]:.0f} ms")
    name = f"cancel of a running task until its waiter is answered, {count} times"
    return [
        _milliseconds(f"{name}, p50", taken, 0.50, Target("<=", 1000, "ms")),
        _milliseconds(f"{name}, p99", taken, 0.99, Target("<=", 1000, "ms")),
    ]


def _answered_after(app: Doshit, here: Server) -> float:
    """Seconds from the plain command to the answer that a waiter gets."""
    handle = app.registry["work"].enqueue(SECONDS)
    while handle.state() != "executing":
        time.sleep(0.001)
    time.sleep(random.uniform(0.005, 0.05))  # any moment of the run
    begun = time.perf_counter()
    here.redis.lpush(f"{PREFIX}:cancel", handle.id)
    try:
        handle.result(PATIENCE)
    except TaskFailed as failed:
        if failed.code != "cancelled":
            raise RuntimeError(f"a task that was cancelled ended otherwise: {failed}") from failed
        return time.perf_counter() - begun
    raise RuntimeError("a task that was cancelled succeeded")


def _milliseconds(name: str, taken: Sequence[float], part: float, target: Target) -> Row:
    value = 1000 * taken[min(len(taken) - 1, int(part * len(taken)))]
    return Row(name, f"{value:.0f} ms", "-", value, f" (most {1000 * taken[-1]:.0f})", target)


# Pending


def _pending_row(many: int, few: int, rounds: int) -> Row:
    """The cost of one cancel, in a queue with many tasks and in one with few, by turns."""
    with server() as crowded, server() as other, _app(crowded) as in_many, _app(other) as in_few:
        say(f"cancel: enqueues {many:,} tasks")
        queues = [(in_many, load.fill(crowded, many)), (in_few, load.fill(other, few))]
        costs: list[list[float]] = [[], []]
        for turn in range(rounds):
            for (app, ids), cost in zip(queues, costs, strict=True):
                cost.append(_microseconds(app, random.sample(ids, 40)))
            say(f"cancel {turn + 1}/{rounds}: {number(costs[0][-1])} us among many, {number(costs[1][-1])} among few")
    name = f"cancel of a pending task anywhere in {many:,}, floor in {few:,}"
    return ratio_row(name, "us", costs[0], costs[1], Target("<=", 2.0))


def _microseconds(app: Doshit, ids: Sequence[str]) -> float:
    """The median of single cancels."""
    taken = []
    for id in ids:
        begun = time.perf_counter()
        word = app.handle(id).cancel()
        taken.append(time.perf_counter() - begun)
        if word != "cancelled":
            raise RuntimeError(f"a pending task was not cancelled but {word}")
    return 1e6 * median(taken)


def _app(here: Server) -> Doshit:
    return Doshit(here.url, prefix=PREFIX, queue="default")


if __name__ == "__main__":
    sys.exit(main())
