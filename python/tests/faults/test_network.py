"""Rows 6, 15 to 18 and 25: what the way between a worker, a waiter and Redis may do."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import redis

from doshit import Doshit, ServerError
from faults.harness import Scene, kill, spread
from faults.kinds import EACH, FLEET, MIXED, NODE, PYTHON, USUAL, kinds
from faults.network import Cable, NoNamespaces
from faults.node import PACKAGE
from servers import Engine, private_folder
from worker.test_connections import (
    test_a_half_open_connection_is_given_up_and_nothing_is_lost as test_row_16_a_half_open_connection_under_load,
)
from worker.test_connections import (
    test_a_lost_reply_to_every_fifth_script_call_strands_and_doubles_nothing as test_row_06_every_fifth_reply_is_lost,
)
from worker.test_connections import (
    test_a_worker_whose_connections_are_killed_again_and_again_loses_nothing as test_row_18_killed_again_and_again,
)
from worker.test_connections import (
    test_connections_cut_under_an_idle_worker_come_back as test_row_18_cut_under_an_idle_worker,
)
from worker.workers import until

__all__ = [
    "test_row_06_every_fifth_reply_is_lost",
    "test_row_16_a_half_open_connection_under_load",
    "test_row_18_cut_under_an_idle_worker",
    "test_row_18_killed_again_and_again",
]

BACK = 3.0
"""Seconds after a disturbance in which fetch, beat, cancel and wait go on."""
SILENCE = 15.0
"""Seconds without any answer after which a worker ends its own runs."""


# Row 6


@kinds(*EACH, quick=[NODE])
def test_row_06_lost_replies_of_submit_finish_and_claim_strand_and_double_nothing(
    start_line, scene, redis_url, prefix, endings, rng
):
    proxy = start_line(redis_url, drop_every=rng.randrange(3, 7))
    worker = scene.worker(children=2, url=proxy.url)
    with Doshit(proxy.url, prefix=prefix) as shaky:
        scene.app = shaky
        ids = [f"own-{n}" for n in range(240)]
        for id in ids[:40]:
            acknowledged(partial(scene.submit_one, options={"id": id}))
        for first in range(40, 240, 20):
            jobs = [shaky.job("work", {"ledger": str(scene.ledger)}, id=id) for id in ids[first : first + 20]]
            acknowledged(partial(shaky.enqueue_many, jobs))
        scene.accepted = list(ids)
        for id in ids[::10]:
            assert shaky.handle(id).result(20) == id
    assert proxy.dropped > 10
    scene.check()
    scene.ran_once(ids)
    assert scene.fields_of(ids, "attempts", "lost") == [["1", None]] * len(ids)
    assert endings() == dict.fromkeys(map(scene.world.task_key, ids), 1)
    assert worker.process.poll() is None


def acknowledged(submit: Callable[[], object]) -> None:
    """Submits, and again under the same ids when even the library's own second try was not answered."""
    for _ in range(10):
        with contextlib.suppress(ServerError):
            submit()
            return
    raise AssertionError("no submit was ever acknowledged")


# Rows 15 to 17, by network namespaces


@pytest.fixture
def cable() -> Iterator[Cable]:
    try:
        cable = Cable().__enter__()
    except NoNamespaces as error:
        pytest.skip(str(error))
    with cable:
        yield cable


@pytest.fixture
def cable_scene(cable: Cable, engine: Engine, make_scene: Callable[..., Scene]) -> Iterator[Scene]:
    """Workers at one end of the cable, Redis at the other."""
    with private_folder() as folder:
        server = cable.start_redis(engine.binary, folder)
        yield make_scene(server.url, server.workers_url, cable.in_workers())


@kinds(*EACH)
@pytest.mark.slow
def test_row_15_cut_for_five_seconds_nothing_runs_twice(cable, cable_scene, tmp_path, figure):
    scene, gate = cable_scene, tmp_path / "open"
    worker = scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(ids)
    cable.cut()
    gate.touch()
    ids += scene.submit(200, seconds=0.005)
    time.sleep(5)
    cable.mend()
    at = time.monotonic()
    scene.ledger.await_begun(ids)
    scene.check()
    scene.ran_once(ids)
    assert scene.losses(ids) == 0
    assert worker.process.poll() is None
    figure(f"after 5 s of silence: all done {time.monotonic() - at:.1f} s after it, nothing ran twice")


@kinds(*EACH, MIXED)
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_15_cut_for_thirty_seconds_it_ends_its_own_runs_and_they_run_elsewhere(
    cable, cable_scene, tmp_path, figure
):
    scene, gate = cable_scene, tmp_path / "open"
    cut_off = scene.worker(children=2)
    url = scene.world.client.connection_pool.connection_kwargs["path"]
    ids = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(ids)
    processes = scene.pids_of(ids)
    scene.worker(children=2, url=f"unix://{url}?db=0", behind=())
    cable.cut()
    at = time.monotonic()
    scene.ledger.await_begun(ids, times=2)
    again = scene.run_again_after(ids, at)
    until(lambda: not processes & set(cut_off.tree()), 30 - (time.monotonic() - at), "it has ended its own runs")
    alone = time.monotonic() - at
    time.sleep(max(0.0, at + 30 - time.monotonic()))
    gate.touch()
    cable.mend()
    scene.check()
    figure(f"run again elsewhere: {spread(again)}; the worker ended its own {alone:.1f} s after the cut")
    assert SILENCE - 3 < alone < SILENCE + 3
    assert scene.attempts(ids) == {"2": 2}
    until(lambda: len(scene.world.workers()) == 2, what="it is back")
    assert cut_off.process.poll() is None


@pytest.mark.slow
def test_row_16_half_open_during_a_blocking_fetch_loses_nothing(cable, cable_scene, rng, figure):
    scene = cable_scene
    scene.worker(children=2)
    scene.submit(10)
    scene.check()
    time.sleep(rng.random() * 2)
    cable.cut()
    ids = scene.submit(30)  # the server still believes in the connection and serves its BLMOVE
    time.sleep(rng.uniform(3, 6))
    cable.mend()
    at = time.monotonic()
    scene.check()
    scene.ran_once(ids)
    figure(f"pushed into a half-open fetch: all done {time.monotonic() - at:.1f} s after the link was up")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_17_a_slow_and_lossy_cable_costs_time_only(cable, cable_scene, figure):
    try:
        cable.worsen(delay_ms=100, loss_percent=10)
    except NoNamespaces as error:
        pytest.skip(str(error))
    scene = cable_scene
    scene.worker(children=2)
    begun = time.monotonic()
    ids = scene.submit(300, seconds=0.005)
    scene.check(90)
    scene.ran_once(ids)
    assert scene.losses(ids) == 0
    figure(f"100 ms of delay and 10 % of loss: 300 tasks in {time.monotonic() - begun:.1f} s")


def test_row_17_one_byte_at_a_time_and_lossy_is_correct(start_line, scene, redis_url):
    proxy = start_line(redis_url, shred=True, drop_every=11)
    scene.worker(children=2, url=proxy.url)
    ids = scene.submit(100)
    scene.check()
    scene.ran_once(ids)


def test_row_17_a_slow_line_costs_time_only(start_line, scene, redis_url):
    scene.worker(children=2, url=start_line(redis_url, late=0.02).url)
    ids = scene.submit(200)
    scene.check()
    scene.ran_once(ids)
    assert scene.losses(ids) == 0


# Row 18


def kinds_of_connections(scene: Scene) -> dict[str, list[str]]:
    """The ids of the connections of workers and waiters by what they do."""
    found: dict[str, list[str]] = {}
    for client in scene.world.client.client_list():
        if client["name"].startswith("doshit"):
            kind = client["cmd"] if client["cmd"] in ("blmove", "subscribe") else "command"
            found.setdefault(f"{client['name'].rpartition('-')[0]} {kind}", []).append(client["id"])
    return found


def kill_connections(scene: Scene, kind: str | None = None) -> None:
    for name, ids in kinds_of_connections(scene).items():
        for id in ids if kind in (None, name) else []:
            scene.world.client.execute_command("CLIENT", "KILL", "ID", id)


class Waiting:
    """Waits for the ends of tasks in a thread of its own, as a client does. seconds: how long each took."""

    def __init__(self, app: Doshit, patience: float = 40) -> None:
        self._app, self._patience, self.wrong, self._left = app, patience, list[object](), list[threading.Thread]()

    def for_end(self, id: str) -> None:
        thread = threading.Thread(target=self._wait, args=(id,), daemon=True)
        self._left.append(thread)
        thread.start()

    def _wait(self, id: str) -> None:
        try:
            value = self._app.handle(id).result(self._patience)
        except Exception as error:
            value = error
        if value != id:
            self.wrong.append((id, value))

    def all_answered(self) -> None:
        for thread in self._left:
            thread.join(self._patience + 5)
            assert not thread.is_alive(), "a waiter still waits"
        assert not self.wrong, self.wrong[:3]


def test_row_18_each_kind_of_connection_killed_alone_is_made_again(scene, rng, figure):
    worker = scene.worker("default", "other", children=2)
    waiting, slowest = Waiting(scene.app), 0.0
    waiting.for_end(scene.submit_one(seconds=0.1))
    until(lambda: "doshit-worker blmove" in kinds_of_connections(scene) or len(kinds_of_connections(scene)) > 2)
    for round in range(12):
        kinds = sorted(kinds_of_connections(scene))
        kill_connections(scene, kinds[round % len(kinds)])
        at = time.monotonic()
        id = scene.submit_one(options={"queue": rng.choice(("default", "other"))})
        waiting.for_end(id)
        scene.world.ended(id)
        slowest = max(slowest, time.monotonic() - at)
    waiting.all_answered()
    scene.check()
    assert worker.process.poll() is None
    figure(f"after a kill of one kind, a task ended within {slowest:.2f} s")


def beats_and_serves_again(scene: Scene, waiting: Waiting) -> float:
    """Seconds until a worker has beaten again, and has run a task that a waiter is answered of."""
    at = time.monotonic()
    before = scene.world.workers()
    (id,) = scene.submit(1)
    waiting.for_end(id)
    scene.world.ended(id)
    waiting.all_answered()
    until(lambda: any(lease > before.get(worker, 0) for worker, lease in scene.world.workers().items()), 10, "a beat")
    return time.monotonic() - at


def pause(scene: Scene) -> None:
    scene.world.client.execute_command("CLIENT", "PAUSE", "8000", "ALL")
    time.sleep(8)


def stop_server(scene: Scene) -> None:
    """What DEBUG SLEEP does, without leave to debug: the server does nothing at all."""
    pid = scene.world.client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(8)
    finally:
        os.kill(pid, signal.SIGCONT)


def long_script(scene: Scene) -> None:
    """A script of another user that runs for 8 s: after 5 s the server answers BUSY."""
    busy = "local till = os.clock() + 8 while os.clock() < till do end return 1"
    path = scene.world.client.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, socket_timeout=None) as patient:
        patient.eval(busy, 0)


STALLS = {"CLIENT PAUSE": pause, "stopped": stop_server, "BUSY": long_script}


@kinds(*FLEET)
@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("stall", STALLS)
def test_row_18_a_stall_of_eight_seconds_costs_eight_seconds(own_server, make_scene, stall, tmp_path, figure):
    scene, gate = make_scene(own_server.url), tmp_path / "open"
    workers = [scene.worker(children=2), scene.worker(children=2)]
    held = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(held)
    names = scene.world.workers().keys()
    ids = scene.submit(300, seconds=0.005)
    STALLS[stall](scene)
    back = beats_and_serves_again(scene, Waiting(scene.app))
    gate.touch()
    scene.check()
    scene.ran_once([*held, *ids])
    assert scene.losses([*held, *ids]) == 0
    assert scene.world.workers().keys() == names
    assert [worker.process.poll() for worker in workers] == [None, None]
    figure(f"{stall}, 8 s: fetch, beat and wait go on {back:.2f} s after it")
    assert back < BACK


# Row 25


@kinds(*USUAL, quick=[NODE])
def test_row_25_a_waiter_whose_subscription_is_killed_reads_the_end_itself(scene, figure):
    scene.worker(children=2)
    waiting, at = Waiting(scene.app), time.monotonic()
    ids = scene.submit(10, seconds=0.3)
    for id in ids:
        waiting.for_end(id)
    until(lambda: any("subscribe" in kind and "worker" not in kind for kind in kinds_of_connections(scene)))
    while any(state != "finished" for (state,) in scene.fields_of(ids, "state")):
        for kind in kinds_of_connections(scene):
            if "subscribe" in kind and "worker" not in kind:
                kill_connections(scene, kind)
        time.sleep(0.02)
    ended = time.monotonic()
    waiting.all_answered()
    figure(f"all waiters answered {time.monotonic() - ended:.2f} s after the last end, their messages lost")
    assert time.monotonic() - ended < 5
    assert ended > at
    scene.check()


def test_row_25_a_late_waiter_is_answered_from_the_hash(scene):
    scene.worker(children=2)
    ids = scene.submit(5)
    scene.check()
    for id in ids:
        assert scene.app.handle(id).result(5) == id


WAITER = """
import sys
from doshit import Doshit
url, prefix, *ids = sys.argv[1:]
with Doshit(url, prefix=prefix) as app:
    handles = [app.handle(id) for id in ids]
    try:
        handles[0].result(0.05)
    except Exception:
        pass
    print("waits", flush=True)
    assert [handle.result(40) for handle in handles] == ids
    print("answered", flush=True)
"""
NODE_WAITER = """
import { Doshit } from 'PACKAGE';
const [url, prefix, ...ids] = process.argv.slice(1);
const app = new Doshit({ redis: url, prefix });
const handles = ids.map((id) => app.handle(id));
await handles[0].result({ timeout: 0.05 }).catch(() => {});
console.log('waits');
const results = await Promise.all(handles.map((handle) => handle.result({ timeout: 40 })));
if (String(results) !== String(ids)) throw new Error(results);
console.log('answered');
await app.close();
"""
WAITERS = {
    PYTHON: [sys.executable, "-c", WAITER],
    NODE: ["node", "--input-type=module", "-e", NODE_WAITER.replace("PACKAGE", f"{PACKAGE}/dist/index.js")],
}


@kinds(PYTHON, NODE)
@pytest.mark.parametrize("cut_off", [False, True], ids=["slow", "cut-off"])
def test_row_25_a_waiter_that_was_stopped_reads_again_when_it_goes_on(
    scene, redis_url, prefix, tmp_path, cut_off, kind
):
    """Here it is the waiter too that is of this kind."""
    gate = tmp_path / "open"
    scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(gate))
    words = [*WAITERS[kind], redis_url, prefix, *ids]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as waiter:
        try:
            assert waiter.stdout is not None
            assert waiter.stdout.readline() == "waits\n"
            kill(waiter.pid, signal.SIGSTOP)
            gate.touch()
            scene.submit(500)
            scene.check()
            if cut_off:  # as the server does to a subscriber that is too slow
                for kind in kinds_of_connections(scene):
                    if "subscribe" in kind and "worker" not in kind:
                        kill_connections(scene, kind)
            at = time.monotonic()
            kill(waiter.pid, signal.SIGCONT)
            assert waiter.stdout.readline() == "answered\n"
            assert time.monotonic() - at < 5
        finally:
            kill(waiter.pid)
