"""A Node worker as its users start it, for the rows of the fault suite. Judges nothing."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from worker.workers import Worker

HERE = Path(__file__).parent
PACKAGE = HERE.parents[2] / "node"
COMMAND = PACKAGE / "dist/cli/main.js"
OLDEST = (20, 19)


@cache
def why_not() -> str:
    """Why no Node worker can be started here, or nothing."""
    node = shutil.which("node")
    if node is None:
        return "there is no node here"
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, re.findall(r"\d+", told)[:2])) < OLDEST:
        return f"node {told} is older than 20.19"
    if not COMMAND.exists():
        return "node/dist is not built; `make faults` builds it"
    newest = max(source.stat().st_mtime for source in (PACKAGE / "src").rglob("*.ts"))
    return "" if COMMAND.stat().st_mtime >= newest else "node/dist is older than node/src; `make faults` builds it"


class NodeWorker(Worker):
    """`doshit worker tasks.mjs`. Runs share one process, the host, but for those with a memory limit.

    The host stands where the fork server of a Python worker stands: all runs in it fall with it.
    """

    TARGET = HERE / "tasks.mjs"
    memory_more = 64 << 20  # V8 collects late

    @classmethod
    def words(cls, target: str, url: str, prefix: str, queues: Sequence[str], children: int, **more: Any) -> list[str]:
        """Whatever the Python target is: tasks.mjs has the functions of all."""
        words = ["node", str(COMMAND), "worker", str(cls.TARGET), "--redis", url, "--prefix", prefix]
        words += ["-c", str(children), "--isolated", str(cls.isolated(children))]
        words += [word for queue in queues for word in ("-q", queue)]
        return words + [word for name, value in more.items() for word in cls._option(name, value)]

    @classmethod
    def isolated(cls, children: int) -> int:
        """Processes of their own: each takes a quarter of a second of a CPU to start, and few runs need one."""
        return min(children, 16)

    @staticmethod
    def _option(name: str, value: Any) -> list[str]:
        option = f"--{name.replace('_', '-')}"
        return [option] if value is True else [option, str(value)]

    def fork_servers(self) -> list[int]:
        """The host."""
        return [pid for pid in self.children() if not self._is_heard(pid)]

    def children(self) -> list[int]:
        """The processes that run tasks."""
        return [pid for pid in self.tree() if self._parent(pid) == self.pid]

    @staticmethod
    def _is_heard(pid: int) -> bool:
        """Does its parent read what it writes? So it is with those that run one task at a time."""
        try:
            return str(Path(f"/proc/{pid}/fd/1").readlink()).startswith("socket:")
        except OSError:
            return False

    def is_whole(self, children: int) -> bool:
        return bool(self.fork_servers()) and len(self.children()) > self.isolated(children)


class IsolatedWorker(NodeWorker):
    """The same, with a process of its own for each run."""

    TARGET = HERE / "tasks_isolated.mjs"

    @classmethod
    def isolated(cls, children: int) -> int:
        return children

    def children(self) -> list[int]:
        return [pid for pid in super().children() if self._is_heard(pid)]

    def fork_servers(self) -> list[int]:
        return [pid for pid in super().children() if not self._is_heard(pid)]

    def is_whole(self, children: int) -> bool:
        return len(self.children()) >= children
