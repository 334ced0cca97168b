"""Rows 19 to 24: what Redis may do to a queue: die, forget, change places, be full, hold what cannot be meant."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from doshit import ServerError, TaskVanished
from doshit.server import EmbeddedServer
from faults.harness import Scene
from faults.kinds import EACH, FLEET, MIXED, NODE, PYTHON, USUAL, kinds
from faults.line import Line
from faults.test_network import Waiting
from servers import Engine
from transport.nodes import LOOPBACK, Node, Watched, starter
from worker.test_bad_input import (
    test_a_bad_task_fails_with_its_reason_and_the_worker_keeps_its_processes as test_row_24_malformed_tasks,
)
from worker.test_bad_input import (
    test_a_field_that_cannot_be_meant_fails_the_task_and_is_named as test_row_24_malformed_fields,
)
from worker.test_bad_input import (
    test_a_hash_deleted_while_its_task_runs_is_written_anew_with_its_end as test_row_23_hash_deleted,
)
from worker.test_bad_input import (
    test_a_hash_replaced_by_another_type_while_its_task_runs_costs_that_task_only as test_row_23_hash_replaced,
)
from worker.test_bad_input import (
    test_a_hash_with_args_but_no_function_fails as test_row_24_no_function,
)
from worker.test_bad_input import (
    test_a_key_of_another_type_takes_out_its_own_queue_only_and_for_a_while as test_row_23_keys_of_another_type,
)
from worker.test_bad_input import (
    test_a_task_key_of_another_type_is_quarantined as test_row_23_task_key_of_another_type,
)
from worker.test_bad_input import (
    test_an_id_is_any_bytes_up_to_255 as test_row_24_strange_ids,
)
from worker.test_bad_input import (
    test_an_id_pushed_again_runs_once_whenever_it_comes as test_row_24_pushed_again,
)
from worker.test_bad_input import (
    test_an_id_pushed_before_its_hash_runs_when_the_hash_comes_and_without_one_is_quarantined as test_row_24_no_hash,
)
from worker.test_bad_input import (
    test_an_unknown_function_fails_when_its_grace_is_over as test_row_24_unknown_function,
)
from worker.test_connections import (
    test_a_server_that_is_full_refuses_nothing_that_ends_a_task as test_row_21_running_tasks_end,
)
from worker.test_connections import (
    test_forgotten_scripts_are_never_noticed as test_row_22_under_load,
)
from worker.test_crashes import (
    test_flushall_under_an_idle_worker_costs_it_nothing as test_row_23_flushed_while_idle,
)
from worker.workers import until

__all__ = [
    "test_row_21_running_tasks_end",
    "test_row_22_under_load",
    "test_row_23_flushed_while_idle",
    "test_row_23_hash_deleted",
    "test_row_23_hash_replaced",
    "test_row_23_keys_of_another_type",
    "test_row_23_task_key_of_another_type",
    "test_row_24_malformed_fields",
    "test_row_24_malformed_tasks",
    "test_row_24_no_function",
    "test_row_24_no_hash",
    "test_row_24_pushed_again",
    "test_row_24_strange_ids",
    "test_row_24_unknown_function",
]

FETCHING_AGAIN = 5.0


# Row 19


def away(server: EmbeddedServer, seconds: float) -> float:
    """Kills a server and starts it again from its log. When it was there again."""
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    time.sleep(seconds)
    server.start()
    with redis.Redis.from_url(server.url) as plain:
        plain.config_set("appendfsync", "always")
    return time.monotonic()


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seconds", [4, 60])
def test_row_19_killed_under_load_and_away(own_server, make_scene, tmp_path, figure, seconds):
    scene, gate = make_scene(own_server.url), tmp_path / "open"
    workers = [scene.worker(children=4), scene.worker(children=4)]
    held = scene.submit(4, "hold", gate=str(gate))
    scene.ledger.await_begun(held)
    names = scene.world.workers().keys()
    ids = scene.submit(1500, seconds=0.005)
    waiting = Waiting(scene.app, seconds + 60)
    for id in ids[-5:]:
        waiting.for_end(id)
    scene.ledger.await_begun(ids[:100])
    back = away(own_server, seconds)
    scene.submit(100)
    gate.touch()
    scene.check(60)
    waiting.all_answered()
    begun = scene.ledger.read().begun
    resumed = min(at for id in ids for at in begun[id] if at > back) - back
    scene.ran_once([*held, *ids])
    assert scene.losses([*held, *ids]) == 0
    assert scene.world.workers().keys() == names
    assert [worker.process.poll() for worker in workers] == [None, None]
    figure(f"away for {seconds} s: {len(scene.accepted)} accepted, 0 lost, 0 run twice, next run {resumed:.2f} s after")


@kinds(*EACH)
@pytest.mark.slow
def test_row_19_comes_back_empty(start_server, make_scene, tmp_path):
    """Without a log on disk: waiters are told, the worker serves on, what runs is ended."""
    server: EmbeddedServer = start_server()
    scene, gate = make_scene(server.url), tmp_path / "open"
    worker = scene.worker(children=2)
    held = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(held)
    lost = scene.submit(50)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.start()
    for id in lost[:3]:
        with pytest.raises(TaskVanished):
            scene.app.handle(id).result(20)
    scene.accepted.clear()
    gate.touch()
    scene.submit(50)
    until(lambda: all(scene.ledger.read().ended.get(id) for id in held), what="what ran has come to its end")
    scene.strangers = {scene.world.task_key(id).decode() for id in held}
    scene.check()
    scene.ran_once(held)
    assert worker.process.poll() is None


# Row 20


def url_of(node: Node) -> str:
    return f"redis://{node.host}/0"


Pair = tuple[Node, Node]


@pytest.fixture
def start_node(engine: Engine) -> Iterator[Callable[..., Node]]:
    with starter(engine.binary) as start:
        yield start


@pytest.fixture
def pair(start_node: Callable[..., Node]) -> Pair:
    """A primary and a replica that is in step with it."""
    primary, replica = start_node(), start_node()
    replica.replicate(primary)
    return primary, replica


def under_load(scene: Scene, gate: Path) -> tuple[list[str], list[str]]:
    """A worker with two runs that are held and others that come and go. Their ids."""
    scene.worker(children=4)
    held = scene.submit(2, "hold", gate=str(gate))
    ids = scene.submit(400, seconds=0.005)
    scene.ledger.await_begun([*held, *ids[:50]])
    return held, ids


def serves_again(scene: Scene) -> float:
    """Seconds until a task that is submitted from now on has ended."""
    at = time.monotonic()
    while True:
        try:
            (id,) = scene.submit(1)
            break
        except (ServerError, redis.exceptions.RedisError):
            assert time.monotonic() - at < 30
            time.sleep(0.05)
    scene.world.ended(id)
    return time.monotonic() - at


@kinds(PYTHON)
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_20_a_planned_failover_behind_one_address(pair, make_scene, tmp_path, figure):
    (primary, replica), gate = pair, tmp_path / "open"
    with Line(url_of(primary), tcp=True) as address:
        scene: Scene = make_scene(address.url)
        held, ids = under_load(scene, gate)
        primary.client.execute_command("FAILOVER", "TO", LOOPBACK, replica.port, "TIMEOUT", 5000)
        until(lambda: replica.role() == "master", 10, "the replica is the primary")
        time.sleep(1)  # the address still leads to what is a replica now
        address.moves_to(url_of(replica))
        back = serves_again(scene)
        gate.touch()
        scene.check()
        scene.ran_once([*held, *ids])
        assert scene.losses([*held, *ids]) == 0
    figure(f"planned failover: a new task was done {back:.2f} s after the address moved, nothing ran twice")
    assert back < FETCHING_AGAIN


@kinds(PYTHON)
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_20_a_failover_by_sentinels(start_node, make_scene, tmp_path, figure):
    gate, watched = tmp_path / "open", Watched(start_node)
    with Line(url_of(watched.primary), tcp=True) as seen_by_test:
        scene: Scene = make_scene(seen_by_test.url, f"redis+sentinel://{watched.hosts}/jobs/0")
        held, ids = under_load(scene, gate)
        watched.primary.client.wait(1, 2000)
        at = time.monotonic()
        watched.primary.kill()
        until(lambda: watched.replica.role() == "master", 40, "the Sentinels have made the replica the primary")
        promoted = time.monotonic()
        seen_by_test.moves_to(url_of(watched.replica))
        back = serves_again(scene)
        gate.touch()
        scene.check(40)
        scene.ran_once(held)
        assert [id for id in ids if id not in scene.accepted] == []
    figure(f"Sentinels promoted after {promoted - at:.1f} s; a new task was done {back:.2f} s after that")
    assert back < FETCHING_AGAIN


@kinds(PYTHON)
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_20_a_promotion_with_lag_strands_nothing_that_is_left(pair, make_scene, tmp_path, figure):
    """What the replica never got is lost, as named; what it got comes to its end."""
    (primary, replica), gate = pair, tmp_path / "open"
    with Line(url_of(primary), tcp=True) as address:
        scene: Scene = make_scene(address.url)
        under_load(scene, gate)
        primary.client.wait(1, 2000)
        replica.client.execute_command("REPLICAOF", "NO", "ONE")
        late = scene.submit(50)  # the old primary still takes writes, which nobody will have
        time.sleep(0.5)
        primary.kill()
        address.moves_to(url_of(replica))
        back = serves_again(scene)
        there = {id for id in late if scene.world.client.exists(scene.world.task_key(id))}
        gone = set(late) - there
        scene.accepted = [id for id in scene.accepted if id not in gone]
        # Their runs may end yet, and write their results anew.
        scene.strangers = {scene.world.task_key(id).decode() for id in gone}
        gate.touch()
        scene.check(40, 20)
    figure(f"promotion with lag: {len(gone)} of 50 late tasks were lost with the old primary; all others ended")
    assert gone
    assert back < FETCHING_AGAIN


# Row 21


def test_row_21_a_full_server_refuses_new_tasks_clearly_and_recovers_alone(own_server, make_scene, tmp_path):
    scene, gate = make_scene(own_server.url), tmp_path / "open"
    worker = scene.worker(children=2)
    held = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(held)
    waits = scene.submit(20)
    scene.world.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ServerError, match=r"(?i)memory"):
            scene.submit(1)
        gate.touch()
        scene.world.all_ended(held)
    finally:
        scene.world.client.config_set("maxmemory", 0)
    scene.submit(20)
    scene.check()
    scene.ran_once([*held, *waits])
    assert worker.process.poll() is None


# Row 22


@kinds(*USUAL, MIXED, quick=[NODE])
def test_row_22_scripts_forgotten_again_and_again(scene, rng):
    worker = scene.worker(children=2)
    ids = []
    for _ in range(40):
        scene.world.client.script_flush()
        ids += scene.submit(rng.randrange(1, 20))
    scene.check()
    scene.ran_once(ids)
    assert worker.process.poll() is None


# Row 23

DELETED = ["executing", "held", "workers", "worker", "duties", "queues"]


@pytest.mark.slow
@pytest.mark.parametrize("which", DELETED)
def test_row_23_a_key_deleted_under_load_loses_nothing(scene, which, tmp_path, rng):
    gate = tmp_path / "open"
    worker = scene.worker(children=3)
    held = scene.submit(1, "hold", gate=str(gate))
    scene.ledger.await_begun(held)
    scene.submit(300, seconds=0.005)
    for _ in range(3):
        time.sleep(rng.random() * 0.2)
        keys = {
            "executing": [scene.world.key("default", "executing")],
            "held": list(scene.world.client.scan_iter(scene.world.key("held", "*"))),
            "worker": list(scene.world.client.scan_iter(scene.world.key("worker", "*"))),
        }.get(which, [scene.world.key(which)])
        if keys:
            scene.world.client.delete(*keys)
    gate.touch()
    scene.submit(20)
    scene.check(40)
    assert worker.process.poll() is None


@kinds(*EACH)
@pytest.mark.slow
def test_row_23_flushed_under_load_it_serves_on(scene):
    worker = scene.worker(children=2)
    scene.submit(500, seconds=0.005)
    scene.ledger.await_begun(scene.accepted[:50])
    scene.world.client.flushdb()
    gone, scene.accepted = scene.accepted, []
    scene.submit(100)
    scene.strangers = {scene.world.task_key(id).decode() for id in gone}
    scene.check()
    assert worker.process.poll() is None


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_row_23_a_key_of_another_type_makes_no_hot_loop(scene, figure):
    worker = scene.worker("spoilt", "default", children=2)
    scene.world.client.set(scene.world.key("spoilt", "pending"), "no list")
    until(lambda: "is a string" in worker.log() or "WRONGTYPE" in worker.log(), what="the worker says so")
    commands, used = scene.world.client.info("stats")["total_commands_processed"], cpu_seconds(worker.pid)
    time.sleep(2)
    a_second = (scene.world.client.info("stats")["total_commands_processed"] - commands) / 2
    share = (cpu_seconds(worker.pid) - used) / 2
    figure(f"beside a key of another type: {a_second:.0f} commands a second, {share:.0%} of a CPU")
    assert a_second < 300
    assert share < 0.3
    scene.world.client.delete(scene.world.key("spoilt", "pending"))
    scene.submit(20)
    scene.check()
