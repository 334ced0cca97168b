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

from doshit.client import Doshit
from doshit.errors import DoshitError
from doshit.values.catalog import entry_text
from doshit.worker.child.serve import Child, Descriptors
from doshit.worker.forkserver.target import ImportFailed, load_all
from doshit.worker.process import adopt_orphans, children_of, die_with_parent, kill_below, kill_family, outlive_parent
from doshit.worker.wire import FrameReader, Terms, frame


def _catalog_entry(app: Doshit, name: str) -> str:
    task = app.registry[name]
    task.signature.prepare()
    return entry_text(task.queue, "python", task.signature.json_schema())


def _policy(app: Doshit, name: str) -> dict[str, Any]:
    """What the supervisor must know of how a function's runs are limited and repeated."""
    task = app.registry[name]
    policy = task.policy
    return {
        "time_limit": policy.time_limit,
        "memory_limit": policy.memory_limit,
        "retries": policy.retries,
        "retry_delay": policy.retry_delay,
        "retry_backoff": policy.retry_backoff,
        "retry_codes": policy.codes(),
        "alone": policy.alone,
        "fresh": policy.fresh,
        "is_async": task.is_async,
    }


def hello(app: Doshit, by_exec: bool) -> dict[str, Any]:
    """What the supervisor needs to know of code that it never imports."""
    catalog = {name: _catalog_entry(app, name) for name in app.registry}
    files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    return {
        "catalog": catalog,
        "policies": {name: _policy(app, name) for name in app.registry},
        "url": app.url,
        "prefix": app.prefix,
        "queue": app.queue,
        "files": [
            file for file in files if file and "site-packages" not in file and not file.startswith(sys.base_prefix)
        ],
        "by_exec": by_exec,
    }


_EACH = len(Descriptors._fields)


class ForkServer:
    """Serves one control socket until it closes.

    It is sent {"spawn": number, "many": whether the child runs many at once}, each with the child's descriptors.
    """

    def __init__(self, control: socket.socket, app: Doshit, targets: list[str], terms: Terms, by_exec: bool) -> None:
        self._control, self._app, self._targets, self._terms = control, app, targets, terms
        self._by_exec = by_exec
        self._helpers = children_of(os.getpid())  # what the target's import has started stays
        self._numbers: dict[int, int] = {}
        self._reader, self._descriptors = FrameReader(), list[int]()
        self._wakeup, wake = socket.socketpair()
        self._wakeup.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        # A signal at the supervisor's death would leave nobody to end what runs have started.
        outlive_parent()
        self._serve()
        kill_below(os.getpid(), self._helpers)

    def _serve(self) -> None:
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
            mine, self._descriptors = self._descriptors[:_EACH], self._descriptors[_EACH:]
            pid = self._spawn(Descriptors(*mine), message["many"])
            for fd in mine:
                os.close(fd)
            self._numbers[pid] = message["spawn"]
            self._tell({"spawned": message["spawn"], "pid": pid})
        return bool(data)

    def _spawn(self, descriptors: Descriptors, is_many: bool) -> int:
        if self._by_exec:
            # What a thread held at a fork would stay held in the child for ever.
            words = [json.dumps(descriptors), str(os.getpid()), json.dumps([self._targets, self._terms, is_many])]
            return subprocess.Popen([sys.executable, "-m", "doshit.worker.child", *words], pass_fds=descriptors).pid
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(descriptors, is_many, parent)
        return pid

    def _become_child(self, descriptors: Descriptors, is_many: bool, parent: int) -> None:
        """In the new process: leaves the fork server's things behind and serves. Never returns."""
        status = 70
        try:
            die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for theirs in (self._control, self._wakeup, self._wake):
                theirs.close()
            Child(descriptors, self._app, self._terms, is_many).serve()
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
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = ended
                number = self._numbers.pop(pid, None)
                if number is not None:
                    self._end_orphans()
                    self._tell({"exited": number, "pid": pid, "status": os.waitstatus_to_exitcode(status)})

    def _end_orphans(self) -> None:
        """What a dead child has left running came to this process, and ends with the run that made it."""
        for pid in children_of(os.getpid()) - self._numbers.keys() - self._helpers:
            kill_family(pid)

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(frame(message))


def main() -> int:
    control = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    targets, terms = json.loads(sys.argv[3])
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        app = load_all(targets)
        by_exec = threading.active_count() > 1
        greeting = hello(app, by_exec)
    except ImportFailed as error:
        print(error, file=sys.stderr, end="")
        control.sendall(frame({"failed": f"{error.target} could not be imported (its traceback is above)"}))
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
    ForkServer(control, app, targets, Terms(*terms), by_exec).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
