"""The commands that need the whole engine: worker, dev, demo."""

import json
import signal
from pathlib import Path

import pytest
import redis

from cli.conftest import run_doshit
from doshit.cli.demo_node import find
from servers import private_folder

TASKS = str(Path(__file__).parent / "tasks.py")


@pytest.fixture
def worker(start_doshit, doshit):
    """A worker that has done its first task, so it is there."""
    process = start_doshit("worker", TASKS, "-c", "1")
    said = doshit("submit", "add", "a=1", "--wait", "30")
    assert said.stdout == "3\n", said.stderr
    return process


def test_burst_does_what_is_there_and_ends(doshit, plain, prefix):
    ids = [doshit("submit", "add", f"a={n}", "b=1").stdout.strip() for n in range(3)]
    said = doshit("worker", TASKS, "--burst", "-c", "1")
    assert said.returncode == 0, said.stderr
    results = [json.loads(plain.hget(f"{prefix}:task:{id}", "result-value")) for id in ids]
    assert results == [1, 2, 3]


def test_queues_and_lifetimes_reach_the_worker(doshit, plain, prefix):
    for queue in ("served", "other"):
        doshit("submit", "add", "a=1", "-q", queue, "--id", queue)
    doshit("worker", TASKS, "--burst", "-c", "1", "-q", "served", "--result-ttl", "100")
    assert plain.hget(f"{prefix}:task:served", "state") == b"finished"
    assert 0 < plain.ttl(f"{prefix}:task:served") <= 100
    assert plain.hget(f"{prefix}:task:other", "state") == b"pending"


@pytest.mark.parametrize("raw", ["null", "0", "false", '""', "[]", "{}"])
def test_falsy_results_come_back_as_themselves(worker, doshit, raw):
    said = doshit("submit", "echo", f"text={raw}", "--wait", "30")
    assert (said.returncode, said.stdout) == (0, raw + "\n")


def test_a_failure_comes_back_with_its_traceback(worker, doshit):
    said = doshit("submit", "fail", "message=out of paper", "--wait", "30")
    assert (said.returncode, said.stdout) == (1, "")
    assert "(exception): RuntimeError: out of paper" in said.stderr.splitlines()[0]
    assert "raise RuntimeError(message)" in said.stderr


def test_a_worker_that_runs_passes_the_check_and_shows_what_it_runs(worker, doshit):
    assert doshit("status", "--check").returncode == 0
    (shown,) = json.loads(doshit("status", "--json").stdout)["workers"]
    assert (shown["pid"], shown["concurrency"]) == (worker.pid, 1)


def test_a_target_that_fails_to_import_shows_its_own_traceback(doshit, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_thing\n")
    said = doshit("worker", str(broken), "--burst")
    assert said.returncode == 1
    assert "No module named 'no_such_thing'" in said.stderr


def test_dev_starts_a_server_and_a_worker_and_prints_how_to_reach_them(start_doshit, doshit):
    with private_folder() as folder:
        process = start_doshit("dev", TASKS, "-c", "1", XDG_DATA_HOME=str(folder), DOSHIT_REDIS="", REDIS_URL="")
        url = next(line for line in process.stderr if "DOSHIT_REDIS=" in line).partition("=")[2].strip().strip("'")
        said = doshit("submit", "add", "a=40", "--wait", "30", "--redis", url)
        assert said.stdout == "42\n", said.stderr
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 0
        with pytest.raises(redis.ConnectionError):
            redis.Redis.from_url(url, retry=None).ping()


def test_dev_uses_the_server_that_is_named(start_doshit, doshit):
    with private_folder() as folder:
        start_doshit("dev", TASKS, "-c", "1", XDG_DATA_HOME=str(folder))
        assert doshit("submit", "add", "a=1", "--wait", "30").stdout == "3\n"
        assert list(folder.iterdir()) == []


def test_the_demo_shows_what_is_true(doshit):
    said = doshit("demo")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "NOT TRUE" not in said.stdout
    assert "\x1b" not in said.stdout
    for shown in ('2) "\\"ooh yeeah\\""', "ValueError: out of paper", "running", "x hash   ", "checks passed"):
        assert shown in said.stdout


@pytest.mark.parametrize(
    ("version", "why"),
    [(None, "there is no `node` on the path"), ("v20.18.9", "/node is v20.18.9; install Node.js 20.19 or newer")],
)
def test_without_a_node_js_that_fits_the_demo_says_so_and_shows_the_rest(version, why, tmp_path):
    if version:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / "node").chmod(0o755)
    said = run_doshit(["demo"], PATH=str(tmp_path))
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{why}" in said.stdout
    assert "All 10 checks passed" in said.stdout


def test_with_node_js_the_demo_shows_both_directions(doshit):
    if isinstance(why := find(), str):
        pytest.skip(why)
    said = doshit("demo").stdout
    for shown in ("'OOH YEEAH!'", "expected string, got number", "$ node call.mjs\n3\n", "All 13 checks passed"):
        assert shown in said
