"""How fast one process makes tasks, beside plain pipelines of HSET and LPUSH. No worker runs."""

from collections.abc import Sequence
from time import perf_counter

import tasks
from measure import Report, fresh_ids, say
from stage import PREFIX, Server, server
from table import Row, Target, number, ratio_row

from doshit import Doshit, Task

BULK = 500


def measure(quick: bool) -> Report:
    rounds, single, bulk = (4, 500, 5_000) if quick else (10, 2_000, 20_000)
    with server() as here, Doshit(here.url, prefix=PREFIX, queue="default") as app:
        add = app.task(tasks.add)
        one_by_one(add, 100)
        bare(here, 100, 1)
        one = _compare(here, add, "one by one", rounds, single)
        many = _compare(here, add, "in bulk", rounds, bulk)
    return Report([one, many])


def _compare(here: Server, add: Task[[int, int], int], how: str, rounds: int, total: int) -> Row:
    bulk = how == "in bulk"
    rates, floors = [], []
    for _ in range(rounds):
        here.wipe()
        rates.append(in_bulk(add, total) if bulk else one_by_one(add, total))
        floors.append(bare(here, total, BULK if bulk else 1))
    say(f"enqueue {how}: {number(max(rates))} tasks/s at best, floor {number(max(floors))}")
    name = f"enqueue {total:,} {how}" + (f", floor {BULK} a pipeline" if bulk else "")
    return ratio_row(name, "tasks/s", rates, floors, Target(">=", 0.5 if bulk else 0.7))


def one_by_one(add: Task[[int, int], int], total: int) -> float:
    """Tasks per second of add.enqueue."""
    start = perf_counter()
    for i in range(total):
        add.enqueue(i, 1)
    return total / (perf_counter() - start)


def in_bulk(add: Task[[int, int], int], total: int) -> float:
    """Tasks per second of one enqueue_many."""
    calls = [(i, 1) for i in range(total)]
    start = perf_counter()
    add.enqueue_many(calls)
    return total / (perf_counter() - start)


def bare(here: Server, total: int, size: int) -> float:
    """Tasks per second of pipelines of `size` tasks, whose ids and arguments are there before the clock starts."""
    made = [(f"bare:task:{id}", id, f'{{"a":{i},"b":1}}') for i, id in enumerate(fresh_ids(total))]
    start = perf_counter()
    for at in range(0, total, size):
        push(here, made[at : at + size])
    return total / (perf_counter() - start)


def push(here: Server, made: Sequence[tuple[str, str, str]]) -> None:
    """One pipeline that makes tasks from their keys, ids and arguments."""
    pipeline = here.redis.pipeline(transaction=False)
    for key, id, args in made:
        pipeline.hset(key, mapping={"function": "add", "state": "pending", "args": args})
        pipeline.lpush("bare:default:pending", id)
    pipeline.execute()
