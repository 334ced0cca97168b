"""Row 29: everything at once, by a schedule that a seed decides, and the invariant at the end."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from doshit import Doshit, ServerError
from doshit.server import EmbeddedServer
from faults.harness import Ledger, Scene, kill
from faults.kinds import ALL, PYTHON, kinds
from faults.line import Line
from faults.tasks import DEAF
from worker.workers import Worker, World

SETTLE = 20.0
"""Seconds of a run in which nothing more is broken, so that all can come to its end."""
MOST_RUNNING = 400
ENDINGS: dict[str, set[str]] = {
    "work": {"successful", "exited", "worker-lost"},
    "awork": {"successful", "exited", "worker-lost"},
    "raises": {"exception", "exited", "worker-lost"},
    "ends": {"exited", "worker-lost"},
    "flood": {"successful", "exited", "worker-lost"},
    "daemon": {"successful", "exited", "worker-lost"},
    "deaf": {"time-limit", "exited", "worker-lost"},
    "hog": {"memory-limit", "exited", "worker-lost"},
    "unknown": {"unknown-function"},
}
"""How a task of each function may end: killed by the schedule it may also be `exited`, never silently successful."""


WEIGHTS = {
    "work": 15, "awork": 4, "raises": 1, "ends": 0.5, "flood": 0.2, "unknown": 0.2,
    "daemon": 0.3, "deaf": 0.3, "hog": 0.1,
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "deaf": {"time_limit": 0.3},
    "hog": {"memory_limit": 50 << 20},
    "raises": {"retries": 1, "retry_delay": 0.2},
}


@dataclass(frozen=True)
class Event:
    """One fault: when (seconds from the start), which, and a number that decides what it meets and how long."""

    at: float
    fault: str
    chance: float

    def __str__(self) -> str:
        return f"{self.at:5.1f} {self.fault} {self.chance:.2f}"


@dataclass
class Stage:
    """What the faults act on."""

    server: EmbeddedServer
    line: Line
    scene: Scene
    start: Callable[[], Worker]
    cancelled: set[str] = field(default_factory=set)
    done: list[Event] = field(default_factory=list)

    def some(self, chance: float) -> Worker:
        """One of the workers that run."""
        return self.scene.workers[int(chance * len(self.scene.workers))]

    def replace_dead(self) -> None:
        for worker in [worker for worker in self.scene.workers if worker.process.poll() is not None]:
            self.scene.bury(worker)
            self.start()


def kill_child(stage: Stage, chance: float) -> None:
    children = stage.some(chance).children()
    if children:
        kill(children[int(chance * 1000) % len(children)])


def kill_fork_server(stage: Stage, chance: float) -> None:
    for pid in stage.some(chance).fork_servers()[:1]:
        kill(pid)


def kill_supervisor(stage: Stage, chance: float) -> None:
    stage.scene.kill(stage.some(chance))
    stage.start()


def kill_tree(stage: Stage, chance: float) -> None:
    stage.scene.kill(stage.some(chance), whole=True)
    stage.start()


def stop_and_go_on(stage: Stage, chance: float) -> None:
    """Longer than a lease about every fourth time."""
    worker = stage.some(chance)
    worker.signal(signal.SIGSTOP)
    time.sleep(1 + 15 * chance**2)
    worker.signal(signal.SIGCONT)


def restart_worker(stage: Stage, chance: float) -> None:
    leaving = stage.some(chance)
    leaving.signal(signal.SIGTERM)
    if chance > 0.7:
        time.sleep(0.05)
        leaving.signal(signal.SIGTERM)
    stage.start()
    leaving.wait()
    stage.scene.workers.remove(leaving)


def kill_connections(stage: Stage, chance: float) -> None:
    for client in stage.scene.world.client.client_list():
        if client["name"].startswith("doshit") and random.random() < 0.3 + chance:
            stage.scene.world.client.execute_command("CLIENT", "KILL", "ID", client["id"])


def forget_scripts(stage: Stage, chance: float) -> None:
    stage.scene.world.client.script_flush()


def cut_line(stage: Stage, chance: float) -> None:
    stage.line.cut()


def hold_line(stage: Stage, chance: float) -> None:
    """Silence, under a lease."""
    stage.line.hold()
    time.sleep(1 + 5 * chance)
    stage.line.release()


def drop_replies(stage: Stage, chance: float) -> None:
    stage.line.drop_every = 3 + int(chance * 10)
    time.sleep(3)
    stage.line.drop_every = 0


def kill_redis(stage: Stage, chance: float) -> None:
    os.kill(stage.server.pid, signal.SIGKILL)
    stage.server.wait()
    time.sleep(4 * chance)
    stage.server.start()
    stage.scene.world.client.config_set("appendfsync", "always")


def stop_redis(stage: Stage, chance: float) -> None:
    os.kill(stage.server.pid, signal.SIGSTOP)
    time.sleep(1 + 5 * chance)
    os.kill(stage.server.pid, signal.SIGCONT)


def cancel_some(stage: Stage, chance: float) -> None:
    """Of those that were submitted last: some wait, some run, some have ended."""
    ids = stage.scene.accepted[-60:][:: 1 + int(chance * 6)]
    if ids:
        stage.cancelled.update(ids)
        stage.scene.world.client.lpush(stage.scene.world.key("cancel"), *ids)


def fill_redis(stage: Stage, chance: float) -> None:
    stage.scene.world.client.config_set("maxmemory", 1)
    time.sleep(1 + chance)
    stage.scene.world.client.config_set("maxmemory", 0)


FAULTS: dict[str, tuple[float, Callable[[Stage, float], None]]] = {
    "kill a child": (4, kill_child),
    "kill a fork server": (2, kill_fork_server),
    "kill a supervisor": (2, kill_supervisor),
    "kill a whole tree": (1, kill_tree),
    "stop a worker and let it go on": (1, stop_and_go_on),
    "restart a worker": (2, restart_worker),
    "kill connections": (3, kill_connections),
    "SCRIPT FLUSH": (2, forget_scripts),
    "cut the line": (3, cut_line),
    "hold the line": (1, hold_line),
    "drop replies": (2, drop_replies),
    "kill Redis": (1, kill_redis),
    "stop Redis": (1, stop_redis),
    "fill Redis": (1, fill_redis),
    "cancel": (3, cancel_some),
}


def schedule(seed: int, seconds: float) -> list[Event]:
    """What will be broken when: the same for the same seed, whatever the machine does."""
    rng, at, events = random.Random(f"chaos {seed}"), 1.0, []
    names, weights = list(FAULTS), [weight for weight, _ in FAULTS.values()]
    while at < seconds:
        events.append(Event(at, rng.choices(names, weights)[0], rng.random()))
        at += rng.uniform(0.3, 2.0)
    return events


class Producer:
    """Submits a random mix in a thread of its own, by the library and by hand, whatever Redis does meanwhile."""

    def __init__(self, url: str, prefix: str, scene: Scene, seed: int) -> None:
        self._rng, self._scene = random.Random(f"producer {seed}"), scene
        self._url, self._prefix = url, prefix
        self.functions: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.error: BaseException | None = None

    def __enter__(self) -> "Producer":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the producer hangs"
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            with redis.Redis.from_url(self._url, protocol=2) as client, Doshit(self._url, prefix=self._prefix) as app:
                by_library = Scene(self._scene.world, app, self._scene.ledger, self._scene.start)
                by_library.accepted, by_library.unsure = self._scene.accepted, self._scene.unsure
                world = World(client, self._prefix)
                while not self._stop.wait(self._rng.random() * 0.08):
                    with suppress(redis.exceptions.RedisError, OSError):
                        if client.llen(world.key("default", "pending")) < MOST_RUNNING:
                            self._produce(by_library, world)
        except BaseException as error:
            self.error = error

    def _produce(self, by_library: Scene, world: World) -> None:
        function, args = self._draw()
        if function not in OPTIONS and self._rng.random() < 0.3:
            id = f"by-hand-{len(self.functions)}"
            self.functions[id] = function
            self._push_by_hand(world, id, function, args)
        else:
            options, count = OPTIONS.get(function, {}), self._rng.choice((1, 1, 5, 20))
            for id in by_library.submit_unsurely(count if not options else 1, function, options, **args):
                self.functions[id] = function

    def _draw(self) -> tuple[str, dict[str, Any]]:
        function = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if function in ("work", "awork"):
            return function, {"seconds": self._rng.choice((0, 0.001, 0.01, 0.05, 1.0))}
        if function == "ends":
            return function, {"how": self._rng.choice(("segfault", "abort", "sys.exit", "os._exit"))}
        if function == "deaf":
            return function, {"how": self._rng.choice(list(DEAF)), "seconds": 30.0}
        if function == "hog":
            return function, {"megabytes_a_second": 300, "most": 150}
        return function, {"megabytes": 10} if function == "flood" else {}

    def _push_by_hand(self, world: World, id: str, function: str, args: dict[str, Any]) -> None:
        """Hash first, list second, each until it is acknowledged. What never was is no task."""
        raw = json.dumps({"ledger": str(self._scene.ledger), **args})
        fields = {"function": function, "state": "pending", "args": raw}
        self._until_acknowledged(lambda: world.client.hset(world.task_key(id), mapping=fields))
        self._until_acknowledged(lambda: world.client.lpush(world.key("default", "pending"), id))
        self._scene.accepted.append(id)

    @staticmethod
    def _until_acknowledged(send: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                send()
                return
            except (redis.exceptions.RedisError, ServerError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


@contextmanager
def running(stage: Stage, events: list[Event]) -> Iterator[None]:
    """Breaks what the schedule says, each fault in its turn. Long ones delay others; what is too late is left out."""
    began = time.monotonic()
    for event in events:
        time.sleep(max(0.0, began + event.at - time.monotonic()))
        if time.monotonic() - began > events[-1].at + 2:
            break
        stage.done.append(event)
        print(f"{time.monotonic() - began:5.1f} {event}", flush=True)
        stage.replace_dead()
        for _ in range(100):
            try:
                FAULTS[event.fault][1](stage, event.chance)
                break
            except redis.exceptions.RedisError:
                time.sleep(0.05)  # an earlier fault still has its hand on Redis
    yield


@kinds(PYTHON, ALL)
@pytest.mark.timeout(400)
def test_row_29_a_random_mix_of_faults_loses_nothing_and_leaves_nothing_behind(
    own_server, start_line, make_scene, prefix, ledger: Ledger, seed, chaos_seconds, figure, record_property
):
    events = schedule(seed, max(5.0, chaos_seconds - SETTLE))
    listed = "; ".join(map(str, events))
    record_property("schedule", f"row 29, seed {seed}, {chaos_seconds:g} s: {listed}")
    line = start_line(own_server.url)
    scene: Scene = make_scene(own_server.url)
    turns = iter(range(10_000))

    def start() -> Worker:
        """Every second one speaks through the line."""
        url = line.url if next(turns) % 2 else own_server.url
        return scene.worker(children=3, url=url, ready=False)

    stage = Stage(own_server, line, scene, start)
    for _ in range(3):
        start()
    with Producer(own_server.url, prefix, scene, seed) as producer, running(stage, events):
        pass
    stage.replace_dead()
    scene.check(90, 20)
    judge(scene, producer.functions, stage.cancelled)
    runs = ledger.read().begun
    ends = Counter(code or result for result, code in scene.fields_of(scene.accepted, "result", "error-code"))
    faults = Counter(event.fault for event in stage.done)
    figure(
        f"seed {seed}, {chaos_seconds:g} s: {len(stage.done)} faults of {len(faults)} kinds, "
        f"{len(scene.accepted)} tasks, {sum(map(len, runs.values()))} runs, {scene.losses(scene.accepted)} losses, "
        f"ends {dict(ends)}"
    )


def judge(scene: Scene, functions: dict[str, str], cancelled: set[str]) -> None:
    """Beyond the invariant: nothing ended in a way that its function cannot end."""
    strange = []
    for id in scene.accepted:
        task = scene.world.task(id)
        how = task["result"] if task["result"] == "successful" else task["error-code"]
        if how not in ENDINGS[functions[id]] and not (how == "cancelled" and id in cancelled):
            strange.append((id, functions[id], task))
    assert not strange, (len(strange), strange[:3])
