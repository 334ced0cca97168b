"""What a task can do to its process, and what it cannot do to its neighbours, its worker or its slot."""

import os
import signal

import pytest

from worker.workers import count_tasks, until

WELL = {"a": 1, "b": 1}


def neighbours(count, first=0):
    return [(f"n{first + i}", "add", WELL) for i in range(count)]


@pytest.mark.parametrize(
    ("function", "args", "code", "reason"),
    [
        ("leave", {"status": 0}, "exited", "exit status 0"),
        ("leave", {"status": 3}, "exited", "exit status 3"),
        ("gone", {"status": 3}, "exited", "sys.exit(3)"),
        ("bad_exit", {}, "exited", ""),
        ("segfault", {}, "exited", "SIGSEGV"),
        ("kill_self", {}, "exited", "SIGKILL"),
        ("kill_self", {"number": signal.SIGTERM}, "exited", "SIGTERM"),
        ("close_descriptors", {}, "exited", ""),
        ("scribble", {"text": "\xff" * 40}, "exited", ""),
        ("scribble", {"text": "\x01\0\0\0\x01"}, "exited", ""),
        ("scribble", {"text": "\x05\0\0\0\x94\x05\0\0\0"}, "exited", ""),
        ("interrupt", {}, "exception", "KeyboardInterrupt"),
        ("recurse", {}, "exception", "RecursionError"),
        ("nameless", {}, "exception", "Nameless"),
        ("long_error", {"size": 100_000}, "exception", "ValueError"),
        ("big", {"size": 2 << 20}, "result-too-large", "2097154 bytes"),
        ("nan", {}, "result-not-json", "NaN"),
        ("unknown_type", {}, "result-not-json", "lock"),
    ],
)
def test_a_run_that_goes_wrong_ends_alone_and_its_neighbours_run_once(
    start_worker, world, function, args, code, reason
):
    worker = start_worker()
    ids = world.push_all([("before", "pid", None), ("it", function, args), *neighbours(30)])
    world.all_ended(ids, 15)
    task = world.task("it")
    assert (task["error-code"], task["result"]) == (code, "failed")
    assert reason in task["error-reason"]
    assert len(task["error-reason"].splitlines()) == 1
    assert world.fields(ids, "attempts") == [["1"]] * len(ids)
    assert {world.value(f"n{i}") for i in range(30)} == {2}
    world.at_rest()
    assert worker.process.poll() is None


@pytest.mark.parametrize("function", ["fork_and_return", "threads"])
def test_what_a_task_leaves_behind_does_not_speak_for_it(start_worker, world, function):
    worker = start_worker()
    ids = world.push_all([("it", function, None), *neighbours(30)])
    world.all_ended(ids, 15)
    assert world.fields(ids, "result", "attempts") == [["successful", "1"]] * len(ids)
    assert worker.process.poll() is None


@pytest.mark.parametrize("children", [1, 2])
@pytest.mark.parametrize("death", ["kill_self", "leave"])
def test_a_death_among_many_short_runs_takes_only_its_own(start_worker, world, children, death):
    start_worker(children=children)
    world.all_ended(world.push_all(neighbours(500)))
    poison = ("it", death, {"status": 0} if death == "leave" else {})
    ids = world.push_all([*neighbours(500, 500), poison, *neighbours(500, 1000)])
    world.all_ended(ids, 15)
    assert world.task("it")["error-code"] == "exited"
    ids.remove("it")
    assert world.fields(ids, "result", "attempts") == [["successful", "1"]] * len(ids)


def test_children_killed_from_outside_are_replaced_under_load(start_worker, world, ledger):
    worker = start_worker(children=3)
    ids = world.push_all(count_tasks(ledger, range(3000), "count_slowly"))
    for round in range(20):
        ledger.await_lines(50 * round + 1)
        kill(until(lambda: at_work(worker, ledger)).pop())
    world.all_ended(ids)
    failed = [reason for result, reason in world.fields(ids, "result", "error-reason") if result == "failed"]
    assert len(failed) <= 20
    assert all("SIGKILL" in reason for reason in failed)
    assert len(ledger.runs()) == len(set(ledger.runs()))
    world.at_rest()


def at_work(worker, ledger):
    """The processes that have run something: one that is killed while it is born says that it cannot be."""
    return set(worker.children()) & {int(line.split(" ")[1]) for line in ledger.lines()}


def await_others(worker, ledger, before):
    until(lambda: at_work(worker, ledger) - before, what="one that was born since then has run something")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_fork_server_killed_again_and_again_costs_no_task(start_worker, world, ledger):
    worker = start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    before: set[int] = set()
    for _ in range(5):
        await_others(worker, ledger, before)
        before = set(worker.children())
        kill(worker.fork_servers()[0])
    world.all_ended(ids)
    assert world.fields(ids, "result", "lost") == [["successful", None]] * len(ids)
    world.at_rest()


def test_a_worn_child_is_replaced_and_nothing_is_lost(start_worker, world, ledger):
    start_worker(children=4, recycle_runs=1)
    ids = world.push_all(count_tasks(ledger, range(300)))
    world.all_ended(ids)
    assert sorted(ledger.runs(), key=int) == ids
    assert len({line.split(" ")[1] for line in ledger.lines()}) == 300


def test_a_child_that_has_grown_is_replaced(start_worker, world):
    start_worker(recycle_growth=32 << 20)
    first = world.push_all([(f"h{n}", "hoarder", {"size": 1 << 20}) for n in range(64)])
    world.all_ended(first)
    world.push("after", "pid")
    assert world.value("after") != world.value("h0")


def test_large_args_reach_a_child_that_is_busy_with_short_runs(start_worker, world):
    start_worker()
    world.all_ended(world.push_all(neighbours(300)))
    ids = world.push_all([(str(n), "any_value", {"value": "x" * 90_000}) for n in range(300)])
    world.all_ended(ids, 10)
    assert world.fields(ids, "result-value", "attempts") == [["90000", "1"]] * 300


HOOK = """
import os
from doshit import Doshit
app = Doshit()
@app.task
def nothing() -> None:
    pass
@app.on_child_start
def hook() -> None:
    descriptor = os.open({ledger!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"hook\\n")
    os.close(descriptor)
    {end}
"""


@pytest.mark.parametrize("end", ["raise RuntimeError('no database here')", "os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_hook_that_never_succeeds_ends_the_worker_after_a_few_tries(start_worker, ledger, tmp_path, end):
    target = tmp_path / "hooked.py"
    target.write_text(HOOK.format(ledger=str(ledger), end=end))
    worker = start_worker(children=2, target=str(target), ready=False)
    assert worker.wait(15) == 1
    assert len(ledger.lines()) < 20
    assert "could not start" in worker.log()
    assert "raise" not in end or "no database here" in worker.log()
    assert "doshit/worker" not in worker.log(), "a traceback begins with the hook"


def test_the_hook_runs_once_in_each_child(start_worker, world, ledger, tmp_path):
    target = tmp_path / "hooked.py"
    target.write_text(HOOK.format(ledger=str(ledger), end="pass"))
    start_worker(children=2, target=str(target))
    world.all_ended(world.push_all([(str(n), "nothing", None) for n in range(100)]))
    assert until(lambda: len(ledger.lines()) == 2)


SLOW = """
import os, time
from doshit import Doshit
app = Doshit()
while os.path.exists({slow!r}):
    time.sleep(0.01)
@app.task
def pid() -> int:
    return os.getpid()
"""


def test_a_worker_beats_while_its_code_is_imported_again(start_worker, world, tmp_path):
    slow, target = tmp_path / "slow", tmp_path / "slow_import.py"
    target.write_text(SLOW.format(slow=str(slow)))
    worker = start_worker(target=str(target))
    world.push("1", "pid")
    world.ended("1")
    (id,) = world.workers()
    lease = world.workers()[id]
    slow.touch()
    kill(worker.fork_servers()[0])
    try:
        until(lambda: world.workers().get(id, 0) > lease + 3500, 10, "two beats while the import goes on")
    finally:
        slow.unlink()
    world.push("2", "pid")
    assert world.value("2") != world.value("1")
