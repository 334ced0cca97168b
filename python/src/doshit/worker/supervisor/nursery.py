"""Starts one fork server and asks it for children; hears how they ended. Imports nothing of the user's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from doshit.errors import ConfigurationError
from doshit.worker.supervisor.children import Child
from doshit.worker.supervisor.settings import Settings
from doshit.worker.wire import FrameReader, Terms, frame


class Nursery:
    """One fork server, started when this is made.

    hello: what the target told of itself (catalog, policies, url, prefix, queue, files), empty while it is imported;
    failed: why its import failed, in one line.
    """

    def __init__(self, settings: Settings) -> None:
        self.hello: dict[str, Any] = {}
        self.failed = ""
        self._target = " ".join(settings.targets)
        self._reader = FrameReader()
        self._control, theirs = socket.socketpair()
        terms = Terms(
            settings.recycle_runs, settings.recycle_growth, settings.output_cap, settings.result_cap,
            settings.reason_cap, settings.traceback_cap,
        )  # fmt: skip
        options = json.dumps([settings.targets, terms])
        words = ["-m", "doshit.worker.forkserver", str(theirs.fileno()), str(os.getpid()), options]
        # Its own session: Ctrl-C at the terminal reaches the supervisor only, which then stops in order.
        self._process = subprocess.Popen(
            [sys.executable, *words],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} if settings.reload else None,
        )
        theirs.close()

    def wait_for_hello(self) -> None:
        """Blocks until the target is imported. Raises ConfigurationError with what went wrong."""
        while not self.hello and not self.failed:
            data = self._control.recv(1 << 18)
            self._hear(data, lambda number, pid: None, lambda number, status: None)
        if self.failed:
            raise ConfigurationError(self.failed)
        self._control.setblocking(False)

    def listen(self) -> None:
        """From now on receive() does not wait."""
        self._control.setblocking(False)

    @property
    def functions(self) -> frozenset[bytes]:
        return frozenset(name.encode() for name in self.hello["catalog"])

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._control.fileno()

    def spawn(self, child: Child) -> None:
        """Asks for a process. What becomes of it comes by receive()."""
        try:
            socket.send_fds(
                self._control, [frame({"spawn": child.number, "many": child.slots > 0})], list(child.descriptors())
            )
        except OSError:
            return  # the fork server is gone; receive() says so
        child.handed_over()

    def receive(self, on_spawned: Callable[[int, int], None], on_exited: Callable[[int, int], None]) -> bool:
        """Relays (child number, pid) and (child number, exit status; negative: signal). False: it is gone."""
        while True:
            try:
                data = self._control.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError:
                data = b""
            self._hear(data, on_spawned, on_exited)
            if not data:
                return False

    def _hear(self, data: bytes, on_spawned: Callable[[int, int], None], on_exited: Callable[[int, int], None]) -> None:
        if not data and not self.hello:
            code = self._process.wait()
            self.failed = self.failed or f"{self._target}: its import did not end; {how_it_ended(code)}"
        for message in self._reader.feed(data):
            if "spawned" in message:
                on_spawned(message["spawned"], message["pid"])
            elif "exited" in message:
                on_exited(message["exited"], message["status"])
            elif "failed" in message:
                self.failed = message["failed"]
            else:
                self.hello = message["hello"]

    def kill(self) -> None:
        """SIGKILL. Its end comes by receive()."""
        self._process.kill()

    def close(self) -> None:
        """Closes the socket, at which the fork server ends, and waits for it a moment."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def how_it_ended(status: int) -> str:
    """One line for a person: the signal or the exit status."""
    if status >= 0:
        return f"the process ended without a result (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process was killed by {name} (signal {-status})"
