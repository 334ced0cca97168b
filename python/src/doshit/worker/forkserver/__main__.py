"""The fork server: imports the target, says what it serves, forks a child for each pair of descriptors it is sent.

One thread, so that a fork copies a process in a known state; when the user's import started threads, children are
started by exec instead. It is the children's parent: it relays how they ended.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from typing import Any

import msgspec

from doshit.client import Doshit
from doshit.errors import DoshitError
from doshit.worker.child.run import Runner
from doshit.worker.child.serve import Child, Wear
from doshit.worker.forkserver.target import ImportFailed, load
from doshit.worker.process import die_with_parent
from doshit.worker.wire import FrameReader, frame


def _catalog_entry(app: Doshit, name: str) -> str:
    task = app.registry[name]
    task.signature.prepare()
    entry = {
        "queue": task.queue,
        "language": "python",
        "version": 1,
        **task.signature.json_schema(),
    }
    return json.dumps(entry, sort_keys=True)


def hello(app: Doshit, by_exec: bool) -> dict[str, Any]:
    """What the supervisor needs to know of code that it never imports."""
    catalog = {name: _catalog_entry(app, name) for name in app.registry}
    files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    return {
        "catalog": catalog,
        "url": app.url,
        "prefix": app.prefix,
        "queue": app.queue,
        "files": [
            file for file in files if file and "site-packages" not in file and not file.startswith(sys.base_prefix)
        ],
        "by_exec": by_exec,
    }


class ForkServer:
    """Serves one control socket until it closes. It is sent {"spawn": number}, each with two descriptors."""

    def __init__(
        self,
        control: socket.socket,
        app: Doshit,
        target: str,
        wear: Wear,
        by_exec: bool,
    ) -> None:
        self._control, self._app, self._target, self._wear, self._by_exec = (
            control,
            app,
            target,
            wear,
            by_exec,
        )
        self._numbers: dict[int, int] = {}
        self._reader, self._descriptors = FrameReader(), list[int]()
        self._wakeup, wake = socket.socketpair()
        self._wakeup.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._wakeup.fileno():
                    with contextlib.suppress(BlockingIOError):
                        self._wakeup.recv(4096)
                elif not self._obey():
                    signal.set_wakeup_fd(-1)
                    return
            self._reap()

    def _obey(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 65536, 128)
        except ConnectionResetError:
            return False  # the supervisor closed it with words of ours unread
        self._descriptors += descriptors
        for message in self._reader.feed(data):
            channel, token_pipe = self._descriptors.pop(0), self._descriptors.pop(0)
            pid = self._spawn(channel, token_pipe)
            os.close(channel)
            os.close(token_pipe)
            self._numbers[pid] = message["spawn"]
            self._tell({"spawned": message["spawn"], "pid": pid})
        return bool(data)

    def _spawn(self, channel: int, token_pipe: int) -> int:
        if self._by_exec:
            # What a thread held at a fork would stay held in the child for ever.
            command = [
                sys.executable,
                "-m",
                "doshit.worker.child",
                str(channel),
                str(token_pipe),
                str(os.getpid()),
            ]
            options = msgspec.json.encode([self._target, self._wear.runs, self._wear.growth]).decode()
            return subprocess.Popen([*command, options], pass_fds=(channel, token_pipe)).pid
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(channel, token_pipe, parent)
        return pid

    def _become_child(self, channel: int, token_pipe: int, parent: int) -> None:
        """In the new process: leaves the fork server's things behind and serves. Never returns."""
        status = 70
        try:
            die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for mine in (self._control, self._wakeup, self._wake):
                mine.close()
            with socket.socket(fileno=channel) as stream:
                Child(stream, token_pipe, Runner(self._app.registry), self._wear).serve(self._app.child_start_hooks)
            status = 0
        except OSError:
            status = 0  # the supervisor closed the channel
        except Exception:
            traceback.print_exc()  # a bug of this package: no run's, for those are caught
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self._numbers.pop(pid, None)
            if number is not None:
                self._tell(
                    {
                        "exited": number,
                        "pid": pid,
                        "status": os.waitstatus_to_exitcode(status),
                    }
                )

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(frame(message))


def main() -> int:
    control = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    target, runs, growth = json.loads(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        app = load(target)
        by_exec = threading.active_count() > 1
        greeting = hello(app, by_exec)
    except ImportFailed as error:
        print(error, file=sys.stderr, end="")
        control.sendall(frame({"failed": f"{target} could not be imported (its traceback is above)"}))
        return 1
    except DoshitError as error:
        control.sendall(frame({"failed": str(error)}))
        return 1
    try:
        control.sendall(frame({"hello": greeting}))
    except OSError:
        return 0  # the supervisor is gone already
    gc.collect()
    gc.freeze()
    ForkServer(control, app, target, Wear(runs, growth), by_exec).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
