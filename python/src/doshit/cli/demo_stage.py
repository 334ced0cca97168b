"""What the demo plays on: a folder, a server and a worker that are gone afterwards. Submits nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from doshit.cli.resp import BareConnection
from doshit.cli.text import many_lines
from doshit.errors import DoshitError
from doshit.server import TIE_TO_PARENT, EmbeddedServer

PATIENCE = 20.0
"""Seconds that anything may take on the slowest machine the demo is for."""


class Stage:
    """A server with a worker that serves `source`, in a folder of their own; a context manager."""

    def __init__(self, source: str, prefix: str) -> None:
        self.prefix = prefix
        self._source = source
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doshit-demo-")))
            self.url = stack.enter_context(EmbeddedServer(self._folder, persist=False, tied=True)).url
            self._worker = self._start_worker()
            stack.callback(self._stop_worker)
            self._await_worker()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def point_environment_here(self) -> None:
        """Makes this server the one that the default app of this process finds."""
        os.environ.update(self._environment())
        for name in set(os.environ) & {"DOSHIT_QUEUE", "REDIS_URL"}:
            del os.environ[name]

    def worker_log(self) -> str:
        """The last lines the worker wrote, fit for a terminal."""
        return many_lines("\n".join((self._folder / "worker.log").read_text("utf-8", "replace").splitlines()[-30:]))

    def _environment(self) -> dict[str, str]:
        return {"DOSHIT_REDIS": self.url, "DOSHIT_APP_PREFIX": self.prefix}

    def _start_worker(self) -> subprocess.Popen[bytes]:
        (self._folder / "tasks.py").write_text(self._source)
        command = [sys.executable, "-m", "doshit.cli.main", "worker", "tasks.py", "-c", "2"]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid()), *command]
        environment = {name: value for name, value in os.environ.items() if name not in ("DOSHIT_QUEUE", "REDIS_URL")}
        with open(self._folder / "worker.log", "wb") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env={**environment, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _await_worker(self) -> None:
        deadline = time.monotonic() + PATIENCE
        with BareConnection(self.url, PATIENCE) as redis:
            while redis.command("ZCARD", f"{self.prefix}:workers") == 0:
                if self._worker.poll() is not None or time.monotonic() > deadline:
                    print(self.worker_log(), file=sys.stderr)
                    raise DoshitError("the demo's worker did not start; what it wrote stands above")
                time.sleep(0.01)

    def _stop_worker(self) -> None:
        self._worker.terminate()
        try:
            self._worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
