"""Whether a million waiting tasks make a worker slower, and whether a million finished ones make it larger."""

from collections.abc import Iterator
from itertools import takewhile

import load
import proc
from drain import rate_of
from measure import Report, say
from stage import Server, Worker, server
from table import Row, Target, number, ratio_row

POINTS = 10


def measure(quick: bool) -> Report:
    many, few, rounds = (50_000, 5_000, 3) if quick else (1_000_000, 10_000, 15)
    # Two servers: the short queue must not stand in a server that is full of the long one's tasks.
    with server() as crowded, server() as other:
        say(f"million: enqueues {many:,} tasks")
        front = Front(crowded, many)
        fronts, shorts = [], []
        for turn in range(rounds):
            fronts.append(front.drain(few))
            shorts.append(_drain_short(other, few))
            say(f"million {turn + 1}/{rounds}: {number(fronts[-1])} tasks/s at the front, short {number(shorts[-1])}")
        name = f"drain with {many:,} pending, floor with {few:,}"
        speed = ratio_row(name, "tasks/s", fronts, shorts, Target(">=", 0.85))
    with server() as here:
        return Report([speed, *_flat(here, many)])


class Front:
    """A long queue that is drained from its front, a piece at a time, and filled up at its end."""

    def __init__(self, here: Server, length: int) -> None:
        self._here, self._length = here, length
        self._ids: list[str] = []
        self._at = 0

    def drain(self, count: int) -> float:
        """Tasks per second over the next `count` tasks that end. The worker stops soon after them."""
        # Just before, as the short queue is: a server that has been idle for seconds is slow at first.
        self._ids += load.fill(self._here, self._at + self._length - len(self._ids), len(self._ids))
        stop_at = self._length - count
        with Worker(self._here) as worker:
            worker.wait_until(lambda: _above(load.left(self._here), stop_at))
        ends = list(self._ended())
        load.check_sums(self._here, self._ids[self._at : self._at + len(ends)], self._at)
        self._at += len(ends)
        return rate_of(sorted(ends)[:count])

    def _ended(self) -> Iterator[float]:
        """When the tasks from here on ended, up to the first that has not: what a stopping worker holds goes back."""
        for start in range(self._at, len(self._ids), 1000):
            times = load.times_of(self._here, self._ids[start : start + 1000], "finished-created")
            ended = list(takewhile(lambda each: each is not None, (each for (each,) in times)))
            yield from (each for each in ended if each is not None)
            if len(ended) < len(times):
                return


def _above(left: int, bound: int) -> int | None:
    return left if left > bound else None


def _drain_short(here: Server, total: int) -> float:
    here.wipe()
    ids = load.fill(here, total)
    with Worker(here) as worker:
        worker.wait_until(lambda: load.left(here) or None)
    load.check_sums(here, ids)
    return rate_of([ended for (ended,) in load.times_of(here, ids, "finished-created") if ended])


def _flat(here: Server, total: int) -> list[Row]:
    """The memory of a worker at ten points of a long drain, beside what it was at the first."""
    ids = load.fill(here, total)
    points: list[dict[str, float]] = []
    with Worker(here) as worker:

        def look() -> int | None:
            left = load.left(here)
            if total - left >= (len(points) + 1) * total // POINTS:
                points.append(_memory(worker))
            return left or None

        worker.wait_until(look)
    load.check_sums(here, ids)
    return [_growth(role, total, [point[role] for point in points]) for role in points[0]]


def _memory(worker: Worker) -> dict[str, float]:
    return {role: sum(map(proc.memory_mb, pids)) for role, pids in worker.roles().items()}


def _growth(role: str, total: int, sizes: list[float]) -> Row:
    """The floor is the size at the first point, when a tenth is done and all is warm."""
    say(f"memory of {role}, MB: " + " ".join(f"{size:.1f}" for size in sizes))
    name = f"memory of the {role} over {total:,} tasks"
    growth = max(sizes[1:]) - sizes[0]
    return Row(name, f"at most {max(sizes):.1f} MB", f"{sizes[0]:.1f} MB", growth, "", Target("<=", 2, "MB more"))
