"""What a TARGET may be, what is said when it cannot be used, what a reload does, how the log stands strange text."""

import os
import signal

import pytest

from worker.workers import until

ONE = "from doshit import Doshit\napp = Doshit()\n@app.task\ndef pid() -> int:\n    import os\n    return os.getpid()\n"
TWO = ONE + "other = Doshit()\n@other.task\ndef two() -> int:\n    return 2\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "code"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "tasks.py").write_text(ONE)
    (folder / "one.py").write_text(ONE)
    (folder / "two.py").write_text(TWO)
    (folder / "none.py").write_text("from doshit import Doshit\napp = Doshit()\n")
    (folder / "empty.py").write_text("")
    (folder / "broken.py").write_text("def helper():\n    return 1 / 0\nhelper()\n")
    (folder / "syntax.py").write_text("def broken(:\n")
    (folder / "missing.py").write_text("import no_such_module_anywhere\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "leaves_well.py").write_text("import sys\nsys.exit(0)\n")
    (folder / "vanishes.py").write_text("import os\nos._exit(0)\n")
    (folder / "crashes.py").write_text("import ctypes\nctypes.string_at(0)\n")
    (folder / "default_app.py").write_text(
        "from doshit import task\n@task\ndef pid() -> int:\n    import os\n    return os.getpid()\n"
    )
    return folder


@pytest.mark.parametrize(
    "target", ["one.py", "one", "one:app", "shop.tasks", "shop/tasks.py", "two:app", "default_app"]
)
def test_a_target_is_a_file_a_module_or_an_app_in_one(start_worker, world, folder, target):
    start_worker(target=target, cwd=folder)
    world.push("it", "pid")
    assert world.value("it") > 0


@pytest.mark.parametrize(
    ("target", "said", "trace"),
    [
        ("nothing.py", "no file nothing.py", False),
        ("nothing", "no module 'nothing'", False),
        ("one:nothing", "nothing is no Doshit app", False),
        ("two.py", "several apps", False),
        ("none.py", "has no task", False),
        ("empty.py", "has no task", False),
        ("shop", "has no task", False),
        ("folder.py/", "no file", False),
        ("", "'' is neither a file of tasks nor a module", False),
        (".", "'.' is neither a file of tasks nor a module", False),
        (":app", "'' is neither a file of tasks nor a module", False),
        ("broken.py", "ZeroDivisionError: division by zero", True),
        ("broken", "ZeroDivisionError: division by zero", True),
        ("syntax.py", "SyntaxError", False),
        ("missing.py", "No module named 'no_such_module_anywhere'", True),
        ("missing", "No module named 'no_such_module_anywhere'", True),
        ("leaves.py", "SystemExit: 3", True),
        ("leaves_well", "SystemExit: 0", True),
        ("vanishes.py", "exit status 0", False),
        ("crashes.py", "killed by SIGSEGV", False),
    ],
)
def test_a_target_that_cannot_be_used_ends_the_worker_before_anything_is_fetched(
    start_worker, world, folder, target, said, trace
):
    world.push("it", "pid")
    worker = start_worker(target=target, cwd=folder, ready=False)
    assert worker.wait() == 1
    log = worker.log()
    assert said in log
    assert ("Traceback" in log) == trace
    assert "doshit/worker" not in log
    assert (world.entries(), world.entries(which="pending"), world.workers()) == ([], [b"it"], {})


def test_an_import_that_starts_a_thread_is_served_by_children_of_their_own_and_says_so(start_worker, world, tmp_path):
    target = tmp_path / "threaded.py"
    target.write_text(ONE + "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    worker = start_worker(target=str(target), children=2)
    ids = world.push_all([(str(n), "pid", None) for n in range(50)])
    world.all_ended(ids)
    assert {world.value(id) for id in ids} <= set(worker.children())
    assert "thread" in worker.log()


def test_what_the_import_and_the_tasks_print_disturbs_nothing(start_worker, world, tmp_path):
    target = tmp_path / "loud.py"
    target.write_text(ONE + "print('x' * 100_000)\nimport sys\nsys.stderr.write('y' * 100_000)\n")
    start_worker(target=str(target))
    world.push("it", "pid")
    assert world.value("it") > 0


def test_an_interrupt_while_the_target_is_imported_is_quiet(start_worker, world, tmp_path):
    begun, target = tmp_path / "begun", tmp_path / "endless.py"
    target.write_text(f"import threading\nopen({str(begun)!r}, 'w').close()\nthreading.Event().wait()\n")
    worker = start_worker(target=str(target), ready=False)
    until(begun.exists)
    worker.signal(signal.SIGINT)
    assert worker.wait(10) != 0
    assert "Traceback" not in worker.log()


def test_without_a_server_the_worker_says_so_in_one_line(start_worker, tmp_path):
    worker = start_worker(url=f"unix://{tmp_path}/nothing.sock", ready=False)
    assert worker.wait() == 1
    assert "Traceback" not in worker.log()
    assert "nothing.sock" in worker.log()


VERSION = "from doshit import Doshit\napp = Doshit()\n@app.task\ndef version() -> int:\n    return {}\n"


class Versions:
    """A target that changes under a worker that watches it."""

    def __init__(self, world, file):
        self._world, self._file, self._asked = world, file, 0
        self.write(VERSION.format(1))

    def write(self, text):
        beside = self._file.with_suffix(".new")
        beside.write_text(text)
        os.replace(beside, self._file)

    def served(self):
        self._asked += 1
        self._world.push(f"ask{self._asked}", "version")
        return self._world.value(f"ask{self._asked}")


def test_a_changed_file_is_served_and_a_broken_change_keeps_the_old_code(start_worker, world, tmp_path):
    file = tmp_path / "changing.py"
    versions = Versions(world, file)
    worker = start_worker(target=str(file), reload=True, children=2)
    assert versions.served() == 1
    versions.write(VERSION.format(2))
    until(lambda: versions.served() == 2)
    for broken in ("def (\n", "1 / 0\n", "import sys\nsys.exit(0)\n", "import os\nos._exit(1)\n", ""):
        write_and_await_refusal(worker, versions, broken)
        assert versions.served() == 2
    versions.write(VERSION.format(3))
    until(lambda: versions.served() == 3)
    assert worker.process.poll() is None
    until(lambda: len(worker.fork_servers()) == 1, what="the old fork servers have ended")


def write_and_await_refusal(worker, versions, broken):
    said = worker.log().count("the old code goes on")
    versions.write(broken)
    until(lambda: worker.log().count("the old code goes on") > said, what=f"{broken!r} is refused")


def test_two_saves_of_the_same_size_within_a_second_end_in_the_last_one(start_worker, world, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "cache"))
    file = tmp_path / "changing.py"
    versions = Versions(world, file)
    start_worker(target=str(file), reload=True)
    assert versions.served() == 1
    second = int(os.stat(file).st_mtime) + 10
    for version in (2, 3, 4):
        versions.write(VERSION.format(version))
        os.utime(file, ns=(0, second * 10**9 + version))
        await_version(versions, version)


def await_version(versions, version):
    until(lambda: versions.served() == version, 10)


SLOW = VERSION + "import os, time\nopen({!r}, 'w').close()\nwhile os.path.exists({!r}):\n    time.sleep(0.002)\n"


def test_a_file_saved_again_while_it_is_imported_is_imported_again(start_worker, world, tmp_path):
    file, begun, slow = tmp_path / "changing.py", tmp_path / "begun", tmp_path / "slow"
    versions = Versions(world, file)
    start_worker(target=str(file), reload=True)
    assert versions.served() == 1
    slow.touch()
    versions.write(SLOW.format(2, str(begun), str(slow)))
    until(begun.exists)
    versions.write(VERSION.format(3))
    for _ in range(2):
        await_beat(world)  # the worker has looked at its files in between
    slow.unlink()
    await_version(versions, 3)


def await_beat(world):
    (lease,) = world.workers().values()
    until(lambda: list(world.workers().values()) > [lease])


def test_a_run_goes_on_in_its_old_code_through_a_reload(start_worker, world, tmp_path, gate):
    file = tmp_path / "changing.py"
    versions = Versions(world, file)
    versions.write(BLOCKING.format(1))
    worker = start_worker(target=str(file), reload=True, children=1)
    world.push("long", "block", gate.args("long"))
    gate.await_begun("long")
    versions.write(BLOCKING.format(2))
    until(lambda: versions.served() == 2)
    gate.open()
    assert world.value("long") == 1
    assert gate.runs("long") == 1
    assert worker.process.poll() is None


BLOCKING = """
import os, pathlib, time
from doshit import Doshit
app = Doshit()
VERSION = {}
@app.task
def version() -> int:
    return VERSION
@app.task
def block(gate: str, name: str) -> int:
    with open(gate + "/" + name, "a") as file:
        file.write("begun\\n")
    while not os.path.exists(gate + "/open"):
        time.sleep(0.002)
    return VERSION
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_what_comes_from_redis_cannot_forge_a_line_of_the_log_or_steer_a_terminal(start_worker, world, log_format):
    evil = b"x\r\nforged\x1b[31m\x9b\xe2\x80\xa8forged\x00"
    worker = start_worker(log_format=log_format, verbose=True, unknown_grace=0)
    world.push(evil, "fail", {"message": "one\r\nforged\x1b[31m\u2028forged"})
    world.push(evil + b"2", evil, {})
    world.push(evil + b"3", "kill_self")
    world.push(evil + b"4", "add", {"a": 1, "b": 1})
    world.all_ended([evil, *(evil + n for n in (b"2", b"3", b"4"))])
    worker.stop()
    log = worker.raw_log()
    assert b"forged" in log
    assert not [line for line in log.splitlines() if line.startswith(b"forged")]
    assert not set(log) & {0, 0x0D, 0x1B}
    assert "\u2028" not in log.decode()
    assert "\x9b" not in log.decode()
