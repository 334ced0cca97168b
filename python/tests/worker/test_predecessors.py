"""Workers that are gone, or hear nothing: what they held runs at once where that is certain."""

import os
import signal
import subprocess
import sys

import pytest

from worker.standing import standing
from worker.tasks_limits import begun
from worker.workers import until

FAR = 4e12


@pytest.fixture
def gate(tmp_path):
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


@pytest.fixture
def stage(server, tmp_path):
    with standing(server, tmp_path, worker=False) as stage:
        yield stage


def held(stage, gate, runs=1):
    id = stage.start("hold", gate=str(gate))
    until(lambda: len(begun(gate)) >= runs, what="it has begun")
    return id


def name_of(stage, worker):
    (name,) = [id for id in stage.workers() if f"-{worker.pid}-".encode() in id]
    return name.decode()


def test_what_a_killed_worker_of_this_host_held_runs_again_without_waiting_for_its_lease(stage, gate):
    victim = stage.begin_worker()
    name = name_of(stage, victim)
    id = held(stage, gate)
    victim.kill()
    lease = stage.client.zscore(stage.key("workers"), name)
    successor = stage.begin_worker()
    until(lambda: len(begun(gate)) == 2, 20, "it runs again")
    seconds, micros = stage.client.time()
    assert seconds * 1000 + micros / 1000 < lease, "the lease of the dead one was not over"
    assert f"worker {name} of this host is gone" in successor.log()
    gate.touch()
    stage.value(id)
    assert (stage.task(id)["attempts"], stage.task(id)["lost"]) == ("2", "1")


def test_a_burst_does_not_end_before_it_has_done_what_its_killed_predecessor_held(stage, gate):
    victim = stage.begin_worker()
    id = held(stage, gate)
    victim.kill()
    gate.touch()
    successor = stage.begin_worker(burst=True)
    assert successor.wait() == 0
    assert (stage.task(id)["state"], stage.task(id)["lost"]) == ("finished", "1")


def test_a_worker_that_lives_is_not_taken_for_gone(stage, gate):
    first = stage.begin_worker()
    id = held(stage, gate)
    second = stage.begin_worker()
    assert stage.value(stage.start("echo", text=1)) == 1
    assert "is gone" not in second.log()
    assert first.process.poll() is None
    gate.touch()
    stage.value(id)
    assert stage.task(id)["attempts"] == "1"


def stranger(stage, name, like, **about):
    """A registered worker that is none, with the boot and pid namespace of this one unless told otherwise."""
    real = stage.client.hgetall(stage.key("worker", name_of(stage, like)))
    same = {field: real[field.encode()].decode() for field in ("boot", "pidns")}
    stage.client.hset(stage.key("worker", name), mapping={**same, **about})
    stage.client.zadd(stage.key("workers"), {name: FAR})


def test_who_cannot_be_judged_from_here_is_left_to_its_lease(stage):
    first = stage.begin_worker()
    stranger(stage, "other-boot", first, boot="x", pid="1", born="1")
    stranger(stage, "other-namespace", first, pidns="x", pid="1", born="1")
    stranger(stage, "of-an-older-version", first, pid="1")
    for nth, pid in enumerate(["-1", "0", "", "\u0663", "1e3", "9" * 20, "../1"]):
        stranger(stage, f"strange-pid-{nth}", first, pid=pid, born="12")
    stranger(stage, "that-is-it", first, pid=str(os.getpid()), born="12")
    second = stage.begin_worker()
    until(lambda: "that-is-it of this host is gone" in second.log(), 10, "all were looked at")
    until(lambda: stage.client.zscore(stage.key("workers"), "that-is-it") == -1, 10)
    for name in ("other-boot", "other-namespace", "of-an-older-version"):
        assert stage.client.zscore(stage.key("workers"), name) == FAR
    assert stage.value(stage.start("echo", text=1)) == 1
    assert "Traceback" not in second.log()
    assert second.process.poll() is first.process.poll() is None


ZOMBIE = """
import os, time
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19], flush=True)
time.sleep(60)
"""


def test_a_killed_worker_that_its_parent_has_not_waited_for_is_gone(stage):
    first = stage.begin_worker()
    words = [sys.executable, "-c", f"from pathlib import Path\n{ZOMBIE}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, born = parent.stdout.readline().split()
        stranger(stage, "zombie", first, pid=pid, born=born)
        try:
            second = stage.begin_worker()
            until(lambda: "zombie of this host is gone" in second.log(), 10)
        finally:
            parent.kill()


def test_a_worker_list_of_the_wrong_type_is_no_reason_to_fall(stage):
    stage.client.set(stage.key("worker", "strange"), "text")
    stage.client.zadd(stage.key("workers"), {"strange": 4e12, b"\xff\xfe": 4e12})
    worker = stage.begin_worker()
    assert stage.value(stage.start("echo", text=1)) == 1
    assert "Traceback" not in worker.log()


@pytest.mark.timeout(90)
def test_a_worker_that_hears_nothing_for_longer_than_its_lease_ends_its_runs(stage, gate, start_proxy):
    """Silence, not refusal: the connection stands and brings nothing. The other worker has the task meanwhile."""
    proxy = start_proxy(stage.url)
    deaf = stage.begin_worker(url=proxy.url)
    id = held(stage, gate)
    own = int(begun(gate)[0])
    proxy.hold()
    until(lambda: "no sign of Redis for 15 s" in deaf.log(), 40, "the runs of the deaf worker are ended")
    until(lambda: not os.path.exists(f"/proc/{own}"), 5, "its process is gone")
    proxy.release()
    stage.begin_worker()
    gate.touch()
    stage.value(id)
    until(lambda: len(stage.workers()) == 2, what="it is back")
    assert deaf.process.poll() is None
    stage.at_rest()
    deaf.signal(signal.SIGTERM)
    assert deaf.wait() == 0
