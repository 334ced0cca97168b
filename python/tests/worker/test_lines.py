"""The worker's second connections: made in the background, given up when they stay silent."""

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from doshit.values.keys import Keys
from doshit.worker.supervisor.line import Line
from doshit.worker.supervisor.waits import Wait


def begin(start: Callable[[float], Any], woken: threading.Event) -> float:
    """Has the background connect; the time at which it had."""
    start(time.monotonic())
    assert woken.wait(20)
    return time.monotonic()


def is_open(wait: Wait) -> bool:
    return wait.link.is_open


def test_a_connection_is_the_loops_only_when_the_thread_that_made_it_is_through_with_it(redis_url):
    woken = threading.Event()
    line = Line(redis_url, "a-line", ("CLIENT", "ID"), woken.set)
    now = begin(line.ready, woken)
    assert not line.link.is_open
    assert line.ready(now)
    assert line.link.wait(20)
    replies = line.receive()
    assert replies is not None
    assert isinstance(replies[0], int)
    line.hang_up()


def test_a_wait_whose_greeting_is_never_answered_is_given_up(redis_url):
    woken = threading.Event()
    wait = Wait(redis_url, Keys("doshit"), "default", woken.set)
    now = begin(wait.is_ready, woken)
    with redis.Redis.from_url(redis_url) as other:
        other.client_pause(1000, all=True)
        assert not wait.is_ready(now)
        wait.tick(now + 5)
        assert is_open(wait)
        wait.tick(now + 11)
        assert not is_open(wait)
        assert other.ping()
    wait.close()
