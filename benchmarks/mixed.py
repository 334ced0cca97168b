"""Whether a short task waits behind a long one while a child is free."""

from collections.abc import Sequence

import load
import tasks
from measure import Report, say
from stage import PREFIX, Server, Worker, server
from table import Row, Target

from doshit import Doshit, Task

Run = tuple[float, float]
"""From executing to finished, in seconds by the clock of Redis."""
LONG = 1.0


def measure(quick: bool) -> Report:
    rounds, total = (3, 500) if quick else (10, 2000)
    return Report([_burst_row(rounds), _share_row(total)])


# One long task, then many short ones in the same burst.


def _burst_row(rounds: int) -> Row:
    """The worst share of the long run that had passed when the last short task was done."""
    shares, alone = [], []
    with server() as here, Worker(here, concurrency=4) as worker, _app(here) as app:
        work = app.task(tasks.work)
        burst(here, worker, work, [0.0] * 200)
        for _ in range(rounds):
            runs = burst(here, worker, work, [LONG] + [0.0] * 200)
            shares.append(_share(runs, runs[0][1]))
            alone_runs = burst(here, worker, work, [0.0] * 200)
            alone.append(max(ended for _, ended in alone_runs) - min(begun for begun, _ in alone_runs))
    say(f"mixed, burst: short ones done after {max(shares):.2f} of the long run")
    figure, floor = f"{max(shares) * LONG * 1000:.0f} ms", f"{max(alone) * 1000:.0f} ms"
    name = f"200 short tasks behind one of {LONG:g} s, 4 children, worst of {rounds}; floor without the long one"
    return Row(name, figure, floor, max(shares), "", Target("<=", 0.5, "of the long run"))


def _share(runs: Sequence[Run], long_end: float) -> float:
    start = runs[0][0]
    return (max(ended for _, ended in runs[1:]) - start) / (long_end - start)


# One task in a hundred is long, anywhere.


def _share_row(total: int) -> Row:
    seconds = [LONG if i % 100 == 37 else 0.0 for i in range(total)]
    with server() as here, Worker(here, concurrency=8) as worker, _app(here) as app:
        work = app.task(tasks.work)
        alone = burst(here, worker, work, [0.0] * total)
        runs = burst(here, worker, work, seconds)
    longs = [(ended - LONG, ended) for (_, ended), each in zip(runs, seconds, strict=True) if each]
    shorts = [run for run, each in zip(runs, seconds, strict=True) if not each]
    worst = max(stay(run, full(longs, 8)) for run in shorts)
    say(f"mixed, 1 %: a short task stood {worst * 1000:.0f} ms in executing while a child was free")
    floor = f"{max(ended - begun for begun, ended in alone) * 1000:.0f} ms"
    name = (
        f"longest stay of a short task in executing while one of 8 children was free; 1 % of {total:,} take {LONG:g} s"
    )
    return Row(name, f"{worst * 1000:.0f} ms", floor, worst * 1000, "", Target("<=", 100, "ms"))


def full(longs: Sequence[Run], children: int) -> list[Run]:
    """The times at which every child was in a long run."""
    changes = sorted([(begun, 1) for begun, _ in longs] + [(ended, -1) for _, ended in longs])
    spans, running, since = [], 0, 0.0
    for at, change in changes:
        if running == children:
            spans.append((since, at))
        running, since = running + change, at
    return spans


def stay(run: Run, spans: Sequence[Run]) -> float:
    """How long it stood in executing, without the times at which there was no child for it."""
    begun, ended = run
    return ended - begun - sum(max(0.0, min(ended, end) - max(begun, start)) for start, end in spans)


def burst(here: Server, worker: Worker, work: Task[[float], float], seconds: Sequence[float]) -> list[Run]:
    """Enqueues all at once and waits until all are done; their runs, in the same order."""
    handles = work.enqueue_many([(each,) for each in seconds])
    worker.wait_until(lambda: load.left(here) or None)
    times = load.times_of(here, [handle.id for handle in handles], "executing-created", "finished-created")
    return [(begun, ended) for begun, ended in times if begun is not None and ended is not None]


def _app(here: Server) -> Doshit:
    return Doshit(here.url, prefix=PREFIX, queue="default")
