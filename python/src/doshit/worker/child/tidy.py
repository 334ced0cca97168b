"""What a run has left behind: its child processes are ended, a process that it changed is worn out. Runs nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from doshit.worker.process import children_of, kill_below, reap

_CLOSELY = 20  # runs of a function after which it is trusted to be tidy, and looked after now and then
_NOW_AND_THEN = 256
_PATIENCE = 200  # milliseconds for killed processes to be gone
_LONG = 1000  # microseconds of a run from which a look costs nothing beside it

_LOOP_THREADS = "asyncio_"  # the helpers of the event loop, which stays from run to run
_SIGNALS = tuple(set(signal.Signals) & signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Tidy:
    """A process as it was before its first run. on_ended: hears when processes that a run has left were ended."""

    def __init__(self, on_ended: Callable[[], None]) -> None:
        self._on_ended = on_ended
        self._runs: dict[bytes, int] = {}
        self._children = children_of(os.getpid())
        self._was = self._look()

    def _look(self) -> dict[str, Any]:
        return {
            "threads": sum(not thread.name.startswith(_LOOP_THREADS) for thread in threading.enumerate()),
            "working directory": _working_directory(),
            "environment": dict(os.environ),
            "umask": _umask(),
            "signal handlers": [signal.getsignal(number) for number in _SIGNALS],
            "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        }

    def after(self, function: bytes, micros: int) -> str:
        """Ends what a run has left running; says why this process may run nothing more, "" if it may.

        A function of many short runs is looked after closely at first, then at times: a look costs as much as the run.
        """
        runs = self._runs[function] = self._runs.get(function, 0) + 1
        if micros < _LONG and runs > _CLOSELY and runs % _NOW_AND_THEN:
            return ""
        if not self._end_processes():
            return f"a run of {function.decode(errors='replace')} left a process that does not end"
        changed = [name for name, value in self._look().items() if value != self._was[name]]
        return f"a run of {function.decode(errors='replace')} changed its {', '.join(changed)}" if changed else ""

    def _end_processes(self) -> bool:
        """Ends what is below this process, and answers whether it is gone."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True  # none at all, which is usual and told in one call
        if not children_of(os.getpid()) - self._children:
            return True
        kill_below(os.getpid(), self._children)
        for _ in range(_PATIENCE):
            reap(self._children)
            if not children_of(os.getpid()) - self._children:
                self._on_ended()
                return True
            time.sleep(0.001)
        return False


def _working_directory() -> tuple[int, int]:
    try:
        here = os.stat(".")
    except OSError:
        return 0, 0
    return here.st_dev, here.st_ino


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
