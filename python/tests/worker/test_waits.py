"""An idle worker's waits bring tasks that are claimed already: what comes of them where that goes wrong."""

from types import SimpleNamespace
from typing import Any

import pytest

from doshit.commands import ClaimReply
from doshit.values.keys import Keys
from doshit.worker.supervisor.auditor import Auditor
from doshit.worker.supervisor.fetcher import Fetcher
from worker.workers import Gate, until

ONCE = ["successful", "1", None]


@pytest.fixture
def idle(start_worker, start_proxy, world, redis_url):
    """A worker whose wait stands, and its proxy: it has run a task and found no other."""
    proxy = start_proxy(redis_url)
    worker = start_worker(children=1, url=proxy.url)
    world.push("first", "pid")
    world.value("first")
    world.at_rest()
    until(lambda: is_waiting(world))
    return SimpleNamespace(worker=worker, proxy=proxy)


def is_waiting(world):
    return any(client["cmd"] == "blmove" and "b" in client["flags"] for client in world.client.client_list())


def ran_once(world, id):
    world.ended(id)
    world.at_rest()
    assert world.fields([id], "result", "attempts", "lost") == [ONCE]
    assert world.entries(which="arrived") == []


def test_a_task_whose_claim_was_never_answered_on_the_wait_runs_once(idle, world):
    idle.proxy.drop_every = 1
    world.push("it", "pid")
    until(lambda: idle.proxy.dropped > 0)
    idle.proxy.drop_every = 0
    ran_once(world, "it")
    assert idle.worker.process.poll() is None


def test_a_task_that_arrived_and_was_not_claimed_is_taken_first_by_whoever_asks_next(start_worker, world):
    for id in ("older", "newer"):
        world.client.hset(world.key("task", id), mapping={"function": "pid", "args": "{}", "state": "pending"})
    world.client.lpush(world.key("default", "arrived"), "older")
    world.client.lpush(world.key("default", "pending"), "newer")
    start_worker(children=1)
    ran_once(world, "older")
    ran_once(world, "newer")
    times = world.fields(["older", "newer"], "executing-created")
    assert times[0] <= times[1]


def test_an_idle_worker_finds_what_another_left_in_arrived(idle, world):
    world.client.hset(world.key("task", "left"), mapping={"function": "pid", "args": "{}", "state": "pending"})
    world.client.lpush(world.key("default", "arrived"), "left")
    ran_once(world, "left")


def test_a_server_that_has_forgotten_its_scripts_is_told_them_again(idle, world):
    for round in range(3):
        until(lambda: is_waiting(world))
        world.client.script_flush()
        world.push(f"it{round}", "pid")
        ran_once(world, f"it{round}")


def test_a_worker_that_was_sealed_while_it_waited_takes_what_came_under_its_next_name(idle, world):
    [sealed] = world.workers()
    world.seal(sealed)
    world.push("it", "pid")
    ran_once(world, "it")
    assert world.fields(["it"], "worker") != [[sealed.decode()]]
    assert "taken for dead" in idle.worker.log()


def test_the_audit_gives_nothing_back_that_a_wait_is_about_to_bring():
    keys = Keys("p")
    sent = []
    session: Any = SimpleNamespace(call=lambda call, done: sent.append((call, done)))
    dispatcher: Any = SimpleNamespace(could_begin=lambda: 1)
    fetcher = Fetcher(session, keys, ["default"], dispatcher, 60, 1000)
    fetcher.begin("w")
    wait: Any = SimpleNamespace(
        queue="default", armed=False, mark=b"", is_ready=lambda now: True, unblock=lambda: None, tick=lambda now: None
    )
    wait.arm = lambda call, mark, now: wait.__dict__.update(armed=True, mark=mark)
    fetcher.waits, fetcher.drained = [wait], True
    fetcher.wait(1, 0.0)
    assert wait.armed
    auditor = Auditor(session, keys, lambda: "w", set, lambda: True, fetcher.is_coming)
    held = [b"coming", wait.mark + b"1 default", b"strange", b"w/1.1 default", b"older", b"w/1:10.1 default"]

    def audit(found):
        for _ in range(2):
            auditor.compare(3)
        _, hear = sent.pop()
        hear(found)

    audit([*held, b"ended", b"w/2.1 default"])
    assert sent == []
    audit([*held, b"ended just now", b"w/3.1 default"])
    [(release, _)] = sent
    given = [id for id in (*held[::2], b"ended", b"ended just now") if id in release.args]
    assert given == [b"strange", b"older"]


def test_a_slot_that_comes_free_beside_long_runs_is_filled_though_little_room_is_left(
    start_worker, world, gate, tmp_path
):
    start_worker(children=4)
    other = Gate(tmp_path / "other")
    for name, its in (("a", gate), ("b", gate), ("c", gate), ("d", other)):
        world.push(name, "block", its.args(name))
        its.await_begun(name)
    ids = world.push_all([(f"short{n}", "pid", None) for n in range(3)])
    other.open()
    world.all_ended([*ids, "d"])
    assert world.fields(["a", "b", "c"], "state") == [["executing"]] * 3
    gate.open()
    world.all_ended(["a", "b", "c"])


def test_a_claim_of_an_older_name_whose_wait_is_lost_is_not_asked_under_the_new_one():
    sent: list[Any] = []
    lost: list[str] = []
    session: Any = SimpleNamespace(call=lambda call, done: sent.append((call, done)))
    dispatcher: Any = SimpleNamespace(could_begin=lambda: 1)
    fetcher = Fetcher(session, Keys("p"), ["default"], dispatcher, 60, 1000)
    fetcher.on_lost_id = lost.append
    wait: Any = SimpleNamespace(queue="default", is_ready=lambda now: True, tick=lambda now: None)
    wait.arm = lambda call, mark, now: wait.__dict__.update(call=call)
    fetcher.waits, fetcher.drained = [wait], True
    fetcher.begin("old")
    fetcher.wait(1, 0.0)
    fetcher.begin("new")
    wait.on_lost(wait.call)
    for _, answer in sent:
        answer(ClaimReply("sealed", 0, [], []))
    assert lost == []
    assert not fetcher.drained
