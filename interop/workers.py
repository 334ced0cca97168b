"""Who runs the tasks: a worker of each package by its command line, and a foreign one of plain commands."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from clients import connect

FOLDER = Path(__file__).parent


class Worker(Protocol):
    """Somebody who runs the tasks of the queue `default` until it is stopped."""

    def stop(self) -> None: ...


class CommandWorker:
    """A worker as its users start it."""

    def __init__(self, command: Sequence[str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOSHIT_", "REDIS_"))}
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=kept)

    def stop(self) -> None:
        """Asks it to end, as a service manager does. It must end well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            assert self._process.wait(20) == 0
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def python_worker(url: str, prefix: str, *more: str, target: object = f"{FOLDER / 'tasks.py'}:app") -> Worker:
    return _ours([sys.executable, "-m", "doshit.cli.main"], url, prefix, target, more)


def node_worker(url: str, prefix: str, *more: str, target: object = FOLDER / "tasks.mjs") -> Worker:
    return _ours(["node", str(FOLDER.parent / "node" / "dist" / "cli" / "main.js")], url, prefix, target, more)


def _ours(program: list[str], url: str, prefix: str, target: object, more: Sequence[str]) -> Worker:
    words = ["worker", str(target), "--redis", url, "--prefix", prefix, *(more or ("-c", "2"))]
    return CommandWorker([*program, *words])


class RawWorker:
    """A foreign worker: it takes an id by BLMOVE and writes the end by HSET, LREM and PUBLISH. It knows no cancel."""

    def __init__(self, url: str, prefix: str) -> None:
        self._plain = connect(url)
        self._prefix = prefix
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._plain.close()

    def _serve(self) -> None:
        pending, executing = (f"{self._prefix}:default:{name}" for name in ("pending", "executing"))
        while not self._stopping.is_set():
            id = self._plain.blmove(pending, executing, 0.2, "RIGHT", "LEFT")
            if id is not None:
                self._run(id, executing)

    def _run(self, id: str, executing: str) -> None:
        key = f"{self._prefix}:task:{id}"
        function, state, args = self._plain.hmget(key, ("function", "state", "args"))
        if state == "pending":
            self._plain.hset(key, "state", "executing")
            self._plain.hset(key, mapping={"state": "finished", **_end(function, json.loads(args))})
        self._plain.lrem(executing, -1, id)
        self._plain.publish(f"{self._prefix}:results", key)


def _end(function: str, args: dict[str, Any]) -> dict[str, str]:
    if function == "fail":
        return {"result": "failed", "error-code": "exception", "error-reason": args["message"]}
    return {"result": "successful", "result-value": json.dumps(args["value"])}


OURS: dict[str, Callable[..., Worker]] = {"python": python_worker, "node": node_worker}
"""Those of the packages. more: options of their command line, in place of `-c 2`."""
WORKERS: dict[str, Callable[..., Worker]] = {**OURS, "raw": RawWorker}
