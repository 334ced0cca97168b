"""What the demo plays on: a folder, a server and workers that are gone afterwards. Submits nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from doshit.cli.demo_node import CALL, WORDS, Node
from doshit.cli.resp import BareConnection
from doshit.cli.text import many_lines
from doshit.errors import DoshitError
from doshit.server import TIE_TO_PARENT, EmbeddedServer

PATIENCE = 20.0
"""Seconds that anything may take on the slowest machine the demo is for."""


class Stage:
    """A server with a Python worker that serves `source`, in a folder of their own; a context manager."""

    def __init__(self, source: str, prefix: str) -> None:
        self.prefix = prefix
        self._source = source
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doshit-demo-")))
            self.url = stack.enter_context(EmbeddedServer(self._folder, persist=False, tied=True)).url
            self._stack = stack.pop_all()
        try:
            (self._folder / "tasks.py").write_text(self._source)
            self._start_worker([sys.executable, "-m", "doshit.cli.main", "worker", "tasks.py", "-c", "2"])
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def point_environment_here(self) -> None:
        """Makes this server the one that the default app of this process finds."""
        os.environ.update(self._environment())
        for name in set(os.environ) & {"DOSHIT_QUEUE", "REDIS_URL"}:
            del os.environ[name]

    def start_node(self, node: Node) -> None:
        """A Node worker that serves words.mjs; it serves when this returns."""
        (self._folder / "words.mjs").write_text(WORDS)
        (self._folder / "call.mjs").write_text(CALL)
        (self._folder / "node_modules").mkdir()
        (self._folder / "node_modules" / "doshit").symlink_to(node.package)
        self._start_worker(node.worker)

    def run_node(self, node: Node) -> str:
        """What call.mjs says."""
        command = [node.program, "call.mjs"]
        environment = {**os.environ, **self._environment()}
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, encoding="utf-8", errors="replace",
            timeout=2 * PATIENCE, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def worker_log(self) -> str:
        """The last lines the workers wrote, fit for a terminal."""
        return many_lines("\n".join((self._folder / "worker.log").read_text("utf-8", "replace").splitlines()[-30:]))

    def _environment(self) -> dict[str, str]:
        return {"DOSHIT_REDIS": self.url, "DOSHIT_APP_PREFIX": self.prefix}

    def _start_worker(self, command: list[str]) -> None:
        """Starts one more worker, and returns when it serves."""
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid()), *command]
        environment = {name: value for name, value in os.environ.items() if name not in ("DOSHIT_QUEUE", "REDIS_URL")}
        with open(self._folder / "worker.log", "ab") as log, BareConnection(self.url, PATIENCE) as redis:
            before = redis.command("ZCARD", f"{self.prefix}:workers")
            worker = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**environment, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            self._stack.callback(_stop, worker)
            deadline = time.monotonic() + PATIENCE
            while redis.command("ZCARD", f"{self.prefix}:workers") == before:
                if worker.poll() is not None or time.monotonic() > deadline:
                    print(self.worker_log(), file=sys.stderr)
                    raise DoshitError("a worker of the demo did not start; what it wrote stands above")
                time.sleep(0.01)


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
