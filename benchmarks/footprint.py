"""How much of Redis a waiting task takes, beside the least that the protocol's two commands need."""

from collections.abc import Callable

import load
from enqueue import BULK, push
from measure import Report, fresh_ids, say
from stage import Server, server
from table import Row, Target, number


def measure(quick: bool) -> Report:
    total = 10_000 if quick else 100_000
    with server() as here:
        ours = _bytes_each(here, total, lambda: load.fill(here, total))
    with server() as here:
        least = _bytes_each(here, total, lambda: _bare(here, total))
    say(f"bytes: {ours:.0f} a pending task, two plain commands {least:.0f}")
    target = Target("<=", 350, "bytes")
    return Report([Row("Redis per pending task", f"{ours:.0f} bytes", f"{number(least)} bytes", ours, "", target)])


def _bytes_each(here: Server, total: int, make: Callable[[], object]) -> float:
    """used_memory per task made. The server is new, so its tables have grown for these tasks alone."""
    before = _used(here)
    make()
    return (_used(here) - before) / total


def _used(here: Server) -> int:
    used: int = here.redis.info("memory")["used_memory"]
    return used


def _bare(here: Server, total: int) -> None:
    made = [(f"doshit:task:{id}", id, f'{{"a":{i},"b":1}}') for i, id in enumerate(fresh_ids(total))]
    for at in range(0, total, BULK):
        push(here, made[at : at + BULK])
