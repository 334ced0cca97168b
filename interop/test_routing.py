"""One queue that Python and Node workers share: each task comes to a worker that has its function, and soon."""

from typing import Any

import pytest

from clients import until
from doshit import Doshit
from workers import OURS

OTHER = {"python": "node", "node": "python"}


@pytest.fixture
def app(url, prefix):
    # Unchecked: what is pushed before its worker is there is routed all the same.
    with Doshit(url, prefix=prefix) as app:
        yield app


@pytest.fixture
def at_rest(plain, prefix):
    """Whether nothing waits, runs, or is left parked."""

    def at_rest() -> bool:
        lists = [f"{prefix}:default:{name}" for name in ("pending", "executing")]
        return not any(map(plain.llen, lists)) and not list(plain.scan_iter(f"{prefix}:default:parked*", count=10_000))

    return at_rest


def told(plain: Any, app: Doshit, ids: list[str], *names: str) -> list[list[str | None]]:
    with plain.pipeline(transaction=False) as pipe:
        for id in ids:
            pipe.hmget(app.keys.task(id), names)
        replies: list[list[str | None]] = pipe.execute()
    return replies


def test_two_thousand_tasks_of_two_functions_each_run_in_the_language_that_has_theirs(
    start_worker, app, plain, prefix, at_rest
):
    for kind in OURS:
        start_worker(kind)
    handles = app.enqueue_many(app.job(f"only_{['python', 'node'][n % 2]}", {"n": n}) for n in range(2000))
    assert [handle.result(timeout=60) for handle in handles] == [
        [["python", "node"][n % 2], 2 * n] for n in range(2000)
    ]
    ids = [handle.id for handle in handles]
    assert told(plain, app, ids, "attempts", "lost") == [["1", None]] * 2000
    until(at_rest, "nothing is left behind")
    # A look for each task would be a spin; what is taken in batches needs far fewer.
    claims = [
        int(plain.hget(f"{prefix}:worker:{id}", "request") or 0) for id in plain.zrange(f"{prefix}:workers", 0, -1)
    ]
    assert len(claims) == 2
    assert sum(claims) < 1000


@pytest.mark.parametrize("busy", OURS)
def test_what_waits_for_a_busy_worker_keeps_no_other_from_its_own_tasks(busy, start_worker, app, plain, at_rest):
    free = OTHER[busy]
    start_worker(busy, "-c", "1")
    long = [app.enqueue(f"only_{busy}_nap", {"seconds": 600})]
    until(lambda: long[0].state() == "executing", "it is busy")
    start_worker(free, "-c", "1")
    long += app.enqueue_many(app.job(f"only_{busy}_nap", {"seconds": 600}) for _ in range(300))
    own = app.enqueue_many(app.job(f"only_{free}", {"n": n}) for n in range(200))
    # The busy one never ends by itself: that these end does not depend on who is faster.
    assert [handle.result(timeout=60) for handle in own] == [[free, 2 * n] for n in range(200)]
    waiting = told(plain, app, [handle.id for handle in long[1:]], "state", "attempts")
    assert all(state == "pending" and attempts in (None, "0") for state, attempts in waiting)
    for handle in reversed(long):
        handle.cancel()
    until(at_rest, "nothing is left behind")


def test_a_fleet_is_swapped_from_one_language_to_the_other_and_back_and_loses_nothing(
    start_worker, app, plain, at_rest
):
    handles: list[Any] = []
    said: list[set[str]] = []

    def some() -> None:
        more = app.enqueue_many(app.job("language", {}) for _ in range(200))
        handles.extend(more)
        said.append({handle.result(timeout=60) for handle in more[::50]})

    workers = {"python": start_worker("python")}
    some()
    for old, new in (("python", "node"), ("node", "python")):
        workers[new] = start_worker(new)
        some()
        handles.extend(app.enqueue_many(app.job("language", {}) for _ in range(200)))
        workers[old].stop()
        some()
    assert [said[0], said[2], said[4]] == [{"python"}, {"node"}, {"python"}]
    assert {handle.result(timeout=60) for handle in handles} == {"python", "node"}
    assert told(plain, app, [handle.id for handle in handles], "attempts", "lost") == [["1", None]] * len(handles)
    until(at_rest, "nothing is left behind")
