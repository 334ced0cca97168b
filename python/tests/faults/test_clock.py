"""Row 26: a worker whose machine has the wrong time. Only the Redis clock decides, so nothing may depend on it."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.workers import until

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += OFFSET;
    return failed;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def wrong_clock(folder: Path, seconds: int) -> Sequence[str]:
    """The words before a command whose wall clock is so much ahead; its other clocks stay. Skips without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here: a clock cannot be made wrong for one process")
    source, library = folder / "clock.c", folder / f"clock{seconds}.so"
    source.write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", f"-DOFFSET=({seconds})", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return ["env", f"LD_PRELOAD={library}"]


HOUR = 3600


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_row_26_a_worker_with_a_wrong_clock_does_what_the_others_do(redis_url, make_scene, tmp_path, seconds):
    scene = make_scene(redis_url)
    wrong = scene.worker(children=2, behind=wrong_clock(tmp_path, seconds))
    (name,) = scene.world.workers()
    started = scene.world.client.hget(scene.world.key("worker", name.decode()), "started").decode()
    assert abs((datetime.fromisoformat(started) - datetime.now(UTC)).total_seconds() - seconds) < 60, "its clock is off"
    lease = scene.world.workers()[name] / 1000 - time.time()
    assert 0 < lease < 20
    right = scene.worker(children=2)
    ids = scene.submit(200, seconds=0.005)
    ids += [scene.submit_one(options={"delay": 0.5}), scene.submit_one(options={"expires": timedelta(seconds=50)})]
    until(lambda: all(lease > time.time() * 1000 for lease in scene.world.workers().values()))
    scene.check()
    assert len(scene.world.workers()) == 2, "nobody was taken for dead"
    assert scene.fields_of(ids, "result", "attempts", "lost") == [["successful", "1", None]] * len(ids)
    for (ended,) in scene.fields_of(ids, "finished-created"):
        assert ended is not None
        assert abs((datetime.fromisoformat(ended) - datetime.now(UTC)).total_seconds()) < 60, "the Redis clock wrote it"
    assert wrong.process.poll() is right.process.poll() is None


@pytest.mark.slow
def test_row_26_a_worker_with_a_wrong_clock_recovers_what_a_dead_one_held(redis_url, make_scene, tmp_path, figure):
    scene, gate = make_scene(redis_url), tmp_path / "open"
    victim = scene.worker(children=2)
    ids = scene.submit(2, "hold", gate=str(gate))
    scene.ledger.await_begun(ids)
    scene.worker(children=2, behind=wrong_clock(tmp_path, -HOUR))
    at = scene.kill(victim)
    scene.ledger.await_begun(ids, times=2)
    gate.touch()
    scene.check()
    again = scene.run_again_after(ids, at)
    figure(f"run again by a worker whose clock is an hour off {again[-1]:.1f} s after the kill")
