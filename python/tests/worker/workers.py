"""Live workers as their users start them, and what a plain producer sees of them. Judges only that none is left."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from doshit.commands import seal
from doshit.values.keys import Keys

FOLDER = Path(__file__).parent
TASKS = f"{FOLDER / 'tasks.py'}:app"
OTHER_TASKS = f"{FOLDER / 'tasks_other.py'}:app"
PATIENCE = 25.0
LOOK = 0.01
MARK = "WORKER_OF_TEST"
# What the command line has no option for is told to the same entry that the command calls.
SCRIPT = """\
import json, sys
from doshit.errors import DoshitError
from doshit.worker.supervisor import Settings, run
settings = json.loads(sys.argv[1])
settings["queues"], settings["targets"] = tuple(settings["queues"]), tuple(settings["targets"])
if __name__ == "__main__":
    try:
        code = run(Settings(**settings))
    except DoshitError as error:
        print(error, file=sys.stderr)
        code = 1
    sys.exit(code)
"""


def until(condition: Callable[[], Any], seconds: float = PATIENCE, what: str = "") -> Any:
    """The first true answer of condition; the test fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not so after {seconds:g} s: {what or condition}"
        time.sleep(LOOK)
    return answer


def marked(mark: str) -> list[int]:
    """The processes that were started with this mark in their environment, their descendants included."""
    wanted = f"{MARK}={mark}".encode()
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and wanted in _environment(entry)]


def _environment(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Worker:
    """One `doshit worker`. With settings beyond the command line: the same, through its entry in Python."""

    memory_more = 24 << 20
    """Bytes that its lasting processes may add while it serves."""

    @classmethod
    def words(cls, target: str, url: str, prefix: str, queues: Sequence[str], children: int, **more: Any) -> list[str]:
        """Its command line."""
        return command(target, url, prefix, queues, children, **more)

    def __init__(self, log: Path, command: Sequence[str], cwd: Path | None = None) -> None:
        self._mark = uuid.uuid4().hex
        self._log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOSHIT_", "REDIS_"))}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
                env={**kept, MARK: self._mark}, cwd=cwd,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self._log.read_text(errors="backslashreplace")

    def raw_log(self) -> bytes:
        return self._log.read_bytes()

    def tree(self) -> list[int]:
        """The processes of this worker that live."""
        return marked(self._mark)

    def fork_servers(self) -> list[int]:
        """The processes that children come from: one, two for a moment while the target is imported anew."""
        return [pid for pid in self.tree() if self._parent(pid) == self.pid]

    def children(self) -> list[int]:
        """The children that run tasks."""
        servers = self.fork_servers()
        return [pid for pid in self.tree() if self._parent(pid) in servers]

    def lasting(self) -> list[int]:
        """The processes that are there as long as it is."""
        return [self.pid, *self.fork_servers()]

    def is_whole(self, children: int) -> bool:
        """Are all of its processes born? One more than it was told: async functions share one."""
        return len(self.children()) > children

    @staticmethod
    def _parent(pid: int) -> int:
        try:
            return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return 0

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker has not ended in {seconds:g} s\n{self.log()}") from None

    def stop(self) -> int:
        """Asks it to end, as a service manager does. Its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Ends the supervisor as a crash would; its tree has to go by itself."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Ends it when the test is over, and fails if a process of its tree outlives it."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self._sweep()
                raise AssertionError(f"the worker did not stop\n{self.log()}") from None
        try:
            until(lambda: not self.tree(), 5)
        except AssertionError:
            left = {pid: command_line(pid) for pid in self.tree()}
            self._sweep()
            raise AssertionError(f"processes of an ended worker are left: {left}") from None

    def _sweep(self) -> None:
        for pid in self.tree():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


def command(target: str, url: str, prefix: str, queues: Sequence[str], children: int, **more: Any) -> list[str]:
    """The command line of a worker; `more` are settings, those without an option too."""
    flags = {"burst": "--burst", "verbose": "-v", "reload": "--reload"}
    options = {"unknown_grace": "--unknown-grace", "result_ttl": "--result-ttl", "log_format": "--log-format"}
    if set(more) <= {*flags, *options}:
        words = [sys.executable, "-m", "doshit.cli.main", "worker", target, "--redis", url, "--prefix", prefix]
        words += ["-c", str(children), *(word for queue in queues for word in ("-q", queue))]
        words += [flags[name] for name in more if name in flags]
        return words + [word for name in more if name in options for word in (options[name], str(more[name]))]
    settings = {
        "targets": (target,),
        "url": url,
        "prefix": prefix,
        "queues": list(queues),
        "concurrency": children,
        **more,
    }
    return [sys.executable, "-c", SCRIPT, json.dumps(settings)]


class World:
    """One prefix of one server, as a producer with a plain Redis client sees it."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client, self.prefix = client, prefix

    def key(self, *parts: str) -> str:
        return ":".join((self.prefix, *parts))

    def seal(self, worker: bytes) -> None:
        """As another worker does that takes it for dead."""
        self.client.execute_command(*seal(Keys(self.prefix), [worker.decode()]).eval())

    def push(
        self, id: str | bytes, function: str | bytes, args: Any = None, queue: str = "default", **fields: Any
    ) -> None:
        """Hash first, list second. args: JSON text, or what becomes it."""
        self.push_all([(id, function, args)], queue, **fields)

    def push_all(self, tasks: Iterable[tuple[Any, Any, Any]], queue: str = "default", **fields: Any) -> list[Any]:
        """(id, function, args) each, in one pipeline. Answers the ids."""
        pipeline = self.client.pipeline(transaction=False)
        ids = self.put_all(pipeline, tasks, queue, **fields)
        pipeline.execute()
        return ids

    def put_all(
        self, pipeline: Any, tasks: Iterable[tuple[Any, Any, Any]], queue: str = "default", **fields: Any
    ) -> list[Any]:
        """The same into a pipeline of the caller, who sends it."""
        ids = []
        for id, function, args in tasks:
            raw = args if isinstance(args, (str, bytes)) else json.dumps(args or {})
            pipeline.hset(self.task_key(id), mapping={"function": function, "state": "pending", "args": raw, **fields})
            pipeline.lpush(self.key(queue, "pending"), id)
            ids.append(id)
        return ids

    def task_key(self, id: str | bytes) -> bytes:
        return f"{self.prefix}:task:".encode() + (id.encode() if isinstance(id, str) else id)

    def task(self, id: str | bytes) -> dict[str, str]:
        fields = self.client.hgetall(self.task_key(id))
        return {name.decode(): value.decode(errors="backslashreplace") for name, value in fields.items()}

    def ended(self, id: str | bytes, seconds: float = PATIENCE) -> dict[str, str]:
        """The hash of a task once it is finished."""
        key = self.task_key(id)
        until(
            lambda: self.client.hget(key, "state") == b"finished", seconds, f"task {id!r} is finished; {self.task(id)}"
        )
        return self.task(id)

    def value(self, id: str | bytes, seconds: float = PATIENCE) -> Any:
        """What a task returned; the test fails if it failed."""
        task = self.ended(id, seconds)
        assert task["result"] == "successful", task
        return json.loads(task["result-value"])

    def fields(self, ids: Iterable[Any], *names: str) -> list[list[str | None]]:
        """These fields of many tasks, in one pipeline."""
        pipeline = self.client.pipeline(transaction=False)
        for id in ids:
            pipeline.hmget(self.task_key(id), names)
        return [[value and value.decode() for value in task] for task in pipeline.execute()]

    def all_ended(self, ids: Sequence[Any], seconds: float = PATIENCE) -> None:
        """Waits until every one of these is finished."""
        left = list(ids)

        def none_left() -> bool:
            left[:] = [id for id, (state,) in zip(left, self.fields(left, "state"), strict=True) if state != "finished"]
            return not left

        try:
            until(none_left, seconds)
        except AssertionError:
            shown = {id: self.task(id) for id in left[:3]}
            raise AssertionError(
                f"{len(left)} of {len(ids)} are not finished after {seconds:g} s, as {shown}"
            ) from None

    def entries(self, queue: str = "default", which: str = "executing") -> list[bytes]:
        """The ids in a list of a queue, left end first."""
        ids: list[bytes] = self.client.lrange(self.key(queue, which), 0, -1)
        return ids

    def at_rest(self, seconds: float = 15, queue: str = "default") -> None:
        """Waits until nothing is executing, pending or held, as it must be 15 s after quiet."""
        until(lambda: not self.remains(queue), seconds, f"at rest; {self.remains(queue)}")

    def remains(self, queue: str = "default") -> dict[str, int]:
        sizes = {which: self.client.llen(self.key(queue, which)) for which in ("executing", "arrived", "pending")}
        held = sum(self.client.hlen(key) for key in self.client.scan_iter(self.key("held", "*")))
        return {name: size for name, size in {**sizes, "held": held}.items() if size}

    def workers(self) -> dict[bytes, float]:
        """The workers that are not sealed, with the end of their lease."""
        return {id: lease for id, lease in self.client.zrange(self.key("workers"), 0, -1, withscores=True) if lease > 0}


class Ledger:
    """Who ran what, in a file: outside the Redis under test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def lines(self) -> list[str]:
        return self.path.read_text().split("\n")[:-1] if self.path.exists() else []

    def await_lines(self, count: int) -> None:
        until(lambda: len(self.lines()) >= count, what=f"{count} runs have begun")

    def runs(self) -> list[str]:
        """The names of the runs, one for each."""
        return [line.split(" ")[0] for line in self.lines()]


def count_tasks(ledger: Ledger, names: Iterable[int], function: str = "count") -> list[tuple[str, str, Any]]:
    """Tasks that write their own id into the ledger when they run."""
    return [(str(n), function, {"ledger": str(ledger), "name": str(n)}) for n in names]


class Gate:
    """Where tasks named `block` begin and are held until open()."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def args(self, name: str) -> dict[str, str]:
        return {"gate": str(self._folder), "name": name}

    def begun(self, name: str) -> bool:
        return (self._folder / name).exists()

    def runs(self, name: str) -> int:
        """How often it has begun."""
        file = self._folder / name
        return len(file.read_text().split()) if file.exists() else 0

    def await_begun(self, *names: str) -> None:
        until(lambda: all(self.begun(name) for name in names), what=f"{names} have begun")

    def open(self) -> None:
        (self._folder / "open").touch()
