"""How long an idle worker takes from enqueue to the result in hand, beside a bare chain of two processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, sleep

import tasks
from measure import Report, fresh_ids, say
from stage import HERE, PREFIX, Server, Worker, connect, server
from table import Row, Target, ratio_row

from doshit import Doshit

REST = 0.002
"""Seconds between two samples, so that both worker and consumer are at rest, which is what idle means."""


def measure(quick: bool) -> Report:
    blocks, size = (5, 100) if quick else (10, 200)
    with server() as here, Worker(here), consumer(here), Doshit(here.url, prefix=PREFIX, queue="default") as app:
        product, floor = _ask_worker(app), _ask_consumer(here)
        for warm_up in (product, floor):
            samples(warm_up, 50)
        ours, bare = [], []
        for block in range(blocks):
            ours.append(samples(product, size))
            bare.append(samples(floor, size))
            say(f"latency {block + 1}/{blocks}: p50 {median(ours[-1]):.3f} ms, chain {median(bare[-1]):.3f} ms")
    return Report([_row(ours, bare, 50, Target("<=", 2.0)), _row(ours, bare, 99, Target("<=", 2.5))])


def _row(ours: list[list[float]], bare: list[list[float]], percent: int, target: Target) -> Row:
    """A percentile is taken of each block: a neighbour's burst of load then spoils one ratio and not the row."""
    mine, floor = ([percentile(block, percent) for block in blocks] for blocks in (ours, bare))
    return ratio_row(f"idle latency p{percent}", "ms", mine, floor, target)


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def samples(ask: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of so many questions, one after the other."""
    found = []
    for _ in range(count):
        sleep(REST)
        start = perf_counter()
        ask()
        found.append((perf_counter() - start) * 1000)
    return found


def _ask_worker(app: Doshit) -> Callable[[], object]:
    add = app.task(tasks.add)

    def ask() -> None:
        if add.enqueue(1, 2).result(timeout=30) != 3:
            raise RuntimeError("add(1, 2) is not 3")

    return ask


def _ask_consumer(here: Server) -> Callable[[], object]:
    """The producer of the chain: two commands, one message, one read."""
    client, ids = here.redis, iter(fresh_ids(10_000))
    subscription = connect(here.url).pubsub()
    subscription.subscribe("bare:results")
    subscription.parse_response()

    def ask() -> None:
        id = next(ids)
        key = f"bare:task:{id}"
        pipeline = client.pipeline(transaction=False)
        pipeline.hset(key, mapping={"function": "add", "state": "pending", "args": '{"a":1,"b":2}'})
        pipeline.lpush("bare:default:pending", id)
        pipeline.execute()
        subscription.parse_response()
        if client.hmget(key, "result", "result-value") != [b"successful", b"3"]:
            raise RuntimeError("the bare chain has lost its result")

    return ask


@contextmanager
def consumer(here: Server) -> Iterator[None]:
    command = [sys.executable, "consumer.py", here.url]
    with subprocess.Popen(command, cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the consumer of the bare chain did not start")
            yield
            here.redis.lpush("bare:default:pending", "stop")
        except BaseException:
            process.kill()
            raise
