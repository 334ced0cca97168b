"""The place a measurement runs on: a private server and workers, gone afterwards. Measures nothing."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import proc
import redis

from doshit.server import TIE_TO_PARENT, EmbeddedServer

HERE = Path(__file__).parent
PREFIX = "doshit"
PATIENCE = 300.0
"""Seconds without any progress after which a measurement is given up."""


class Server:
    """An embedded server that keeps nothing on disk. redis: a plain redis-py client of it."""

    def __init__(self, embedded: EmbeddedServer, folder: Path) -> None:
        self.url, self.pid, self.folder = embedded.url, embedded.pid, folder
        self.redis = connect(self.url)

    def wipe(self) -> None:
        """Removes every key, so that a round does not pay for the one before."""
        self.redis.flushall()


def connect(url: str) -> Any:
    """A plain redis-py client that speaks RESP2, as the library does, and never gives up a blocking read."""
    return redis.Redis.from_url(url, protocol=2, socket_timeout=None)


@contextmanager
def server() -> Iterator[Server]:
    """A server of this run's own: it was started here, and answers with the process id of what was started."""
    with (
        tempfile.TemporaryDirectory(prefix="doshit-") as folder,
        EmbeddedServer(folder, persist=False, tied=True) as embedded,
    ):
        if not embedded.owned:
            raise RuntimeError("the server in a new folder is not ours; run it again")
        yield Server(embedded, Path(folder))


class Worker:
    """A `doshit worker` of benchmarks/tasks.py. concurrency: None for the worker's own default."""

    def __init__(self, server: Server, concurrency: int | None = None) -> None:
        self._log = server.folder / "worker.log"
        options = ["--redis", server.url, "--prefix", PREFIX]
        options += [] if concurrency is None else ["-c", str(concurrency)]
        command = [sys.executable, "-m", "doshit.cli.main", "worker", "tasks.py:app", *options]
        tied = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid()), *command]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(tied, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Asks it to stop, which hands back what it holds, and waits until it has."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"the worker did not stop; it said: {self.words()}") from None

    def roles(self) -> dict[str, list[int]]:
        """The process ids by role."""
        supervisor = self._process.pid
        fork_servers = proc.children(supervisor)
        runners = [child for fork_server in fork_servers for child in proc.children(fork_server)]
        return {"supervisor": [supervisor], "fork server": fork_servers, "children": runners}

    def wait_until(self, done: Callable[[], int | None], every: float = 0.02) -> None:
        """Returns when `done` is None; else it says how much is left. Raises RuntimeError when nothing moves."""
        last, since = None, time.monotonic()
        while (left := done()) is not None:
            now = time.monotonic()
            if left != last:
                last, since = left, now
            if self._process.poll() is not None or now - since > PATIENCE:
                raise RuntimeError(f"the worker does not get on, {left} tasks are left; it said: {self.words()}")
            time.sleep(every)

    def words(self) -> str:
        """The last lines of its log."""
        return "\n" + "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-30:])
