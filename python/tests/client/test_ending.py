"""How long a waiter goes on, by a clock that is handed in."""

import pytest

from doshit import ConfigurationError, TaskVanished, WaitTimeout
from doshit.client import ending
from doshit.client.ending import END_FIELDS, PENDING, Wait
from doshit.errors import ServerUnavailable


@pytest.fixture(autouse=True)
def _look_every_two_seconds(monkeypatch):
    monkeypatch.setattr(ending, "REREAD", 2.0)


GONE = [None] * len(END_FIELDS)
THERE = [None, None, None, None, None, b"pending", b"add"]
AWAY = ServerUnavailable("nobody")


def test_a_waiter_looks_again_every_two_seconds_and_never_past_its_timeout():
    wait = Wait("x", None, True, 5.0, now=100)
    assert wait.pause(100) == 2
    assert wait.pause(104) == 1
    with pytest.raises(WaitTimeout):
        wait.pause(105)
    assert Wait("x", None, True, None, now=100).pause(1e9) == 2


@pytest.mark.parametrize("timeout", [float("nan"), "soon"])
def test_a_timeout_that_is_no_number_is_refused(timeout):
    with pytest.raises(ConfigurationError, match=r"timeout: .* is no number of seconds"):
        Wait("x", None, True, timeout, now=100)


def test_an_id_never_seen_is_given_five_seconds():
    wait = Wait("x", None, False, None, now=100)
    assert wait.judge(GONE, 104.9) is PENDING
    assert 0 < wait.pause(104.9) < 0.2
    with pytest.raises(TaskVanished):
        wait.judge(GONE, 105)


def test_an_id_once_seen_is_vanished_as_soon_as_it_is_gone():
    wait = Wait("x", None, False, None, now=100)
    assert wait.judge(THERE, 101) is PENDING
    with pytest.raises(TaskVanished):
        wait.judge(GONE, 101)


def test_without_a_timeout_an_absent_redis_is_waited_for_a_minute_in_growing_steps():
    wait = Wait("x", None, True, None, now=100)
    steps = [wait.away(AWAY, 100 + at) for at in range(8)]
    assert steps == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    wait.away(AWAY, 159.9)
    with pytest.raises(ServerUnavailable):
        wait.away(AWAY, 160)


def test_an_answer_in_between_starts_the_minute_anew():
    wait = Wait("x", None, True, None, now=100)
    wait.away(AWAY, 100)
    wait.judge(THERE, 150)
    assert wait.away(AWAY, 170) == 0.05


def test_with_a_timeout_an_absent_redis_ends_the_wait_in_time_and_is_named():
    wait = Wait("x", None, True, 5.0, now=100)
    assert wait.away(AWAY, 104.98) == pytest.approx(0.02)
    with pytest.raises(WaitTimeout) as late:
        wait.away(AWAY, 105)
    assert late.value.__notes__ == ["Redis did not answer at the end: nobody"]


def test_who_can_hear_nothing_looks_often_at_first_then_twice_a_second():
    wait = Wait("x", None, True, None, now=100)
    looks = [wait.blind(100) for _ in range(40)]
    assert looks[0] == 0.01
    assert looks == sorted(looks)
    assert looks[-1] == 0.5
