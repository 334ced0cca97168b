"""Starts the fork server and asks it for children; hears how they ended. Imports nothing of the user's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from doshit.errors import ConfigurationError
from doshit.worker.supervisor.children import Child
from doshit.worker.supervisor.settings import Settings
from doshit.worker.wire import FrameReader, frame


class Nursery:
    """One fork server. hello: what the target told of itself (catalog, url, prefix, queue, files)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.hello: dict[str, Any] = {}
        self._reader = FrameReader()

    def start(self) -> None:
        """Starts the process and waits until it has imported the target. Raises ConfigurationError."""
        self._launch()
        try:
            self._wait_for_hello()
        except BaseException:
            self.close()
            raise

    def _launch(self) -> None:
        self._control, theirs = socket.socketpair()
        options = json.dumps(
            [
                self._settings.target,
                self._settings.recycle_runs,
                self._settings.recycle_growth,
            ]
        )
        command = [
            sys.executable,
            "-m",
            "doshit.worker.forkserver",
            str(theirs.fileno()),
            str(os.getpid()),
            options,
        ]
        # Its own session: Ctrl-C at the terminal reaches the supervisor only, which then stops in order.
        self._process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    def _wait_for_hello(self) -> None:
        while not self.hello:
            data = self._control.recv(1 << 18)
            if not data:
                code = self._process.wait()
                raise ConfigurationError(f"{self._settings.target}: its import ended the process (exit status {code})")
            for message in self._reader.feed(data):
                if "failed" in message:
                    self._process.wait()
                    raise ConfigurationError(message["failed"])
                self.hello = message["hello"]
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
                self._control,
                [frame({"spawn": child.number})],
                list(child.descriptors()),
            )
        except OSError:
            return  # the fork server is gone; receive() says so
        child.handed_over()

    def receive(
        self,
        on_spawned: Callable[[int, int], None],
        on_exited: Callable[[int, int], None],
    ) -> bool:
        """Relays (child number, pid) and (child number, exit status; negative: signal). False: it is gone."""
        while True:
            try:
                data = self._control.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            for message in self._reader.feed(data):
                if "spawned" in message:
                    on_spawned(message["spawned"], message["pid"])
                elif "exited" in message:
                    on_exited(message["exited"], message["status"])

    def close(self) -> None:
        """Closes the socket, at which the fork server ends, and waits for it a moment."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
