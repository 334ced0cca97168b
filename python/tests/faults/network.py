"""Two network namespaces and a cable between them, to be cut without a word. No root needed where users may unshare."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from doshit.server import TIE_TO_PARENT
from worker.workers import until

SERVER, CLIENT, PORT = "10.77.0.1", "10.77.0.2", 6379
NOBODY = "02:00:00:00:00:99"


class NoNamespaces(Exception):
    """Why there can be none here."""


class Cable:
    """Joins the server's namespace with the workers'. cut(): every packet vanishes, nobody is told; mend() ends it.

    What stands in either namespace is reached by no other network, so a server in it may listen without a password.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        for tool in ("unshare", "nsenter", "ip"):
            if shutil.which(tool) is None:
                raise NoNamespaces(f"there is no command `{tool}`")

    def __enter__(self) -> Self:
        try:
            self._server = self._namespace(["unshare", "--user", "--map-root-user", "--net"])
            self._workers = self._namespace([*self._in(self._server), "unshare", "--net"])
            self._join()
        except (OSError, subprocess.CalledProcessError, AssertionError) as error:
            self._stack.close()
            said = getattr(error, "stderr", "") or str(error)
            raise NoNamespaces(f"network namespaces are refused here: {said.strip()}") from None
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _namespace(self, words: Sequence[str]) -> int:
        """A process that keeps a new namespace. It ends with its input, so with this process."""
        holder = subprocess.Popen([*words, "cat"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._stack.callback(_end, holder)
        ours = os.readlink("/proc/self/ns/net")
        parent = os.readlink(f"/proc/{self._server}/ns/net") if hasattr(self, "_server") else ours

        def is_there() -> bool:
            assert holder.poll() is None, holder.stderr.read() if holder.stderr else ""
            namespace = os.readlink(f"/proc/{holder.pid}/ns/net")
            return namespace not in (ours, parent) and _name(holder.pid) == "cat"

        until(is_there, 5, "the namespace is there")
        return holder.pid

    @staticmethod
    def _in(holder: int) -> list[str]:
        return ["nsenter", f"--target={holder}", "--user", "--preserve-credentials", "--net"]

    def in_server(self, *words: str) -> list[str]:
        """A command line, run in the server's namespace."""
        return [*self._in(self._server), *words]

    def in_workers(self, *words: str) -> list[str]:
        """A command line, run in the workers' namespace."""
        return [*self._in(self._workers), *words]

    def _join(self) -> None:
        _run(self.in_server("ip", "link", "add", "s", "type", "veth", "peer", "name", "w"))
        _run(self.in_server("ip", "link", "set", "w", "netns", str(self._workers)))
        for enter, link, address in ((self.in_server, "s", SERVER), (self.in_workers, "w", CLIENT)):
            _run(enter("ip", "address", "add", f"{address}/24", "dev", link))
            _run(enter("ip", "link", "set", link, "up"))
            _run(enter("ip", "link", "set", "lo", "up"))

    def cut(self) -> None:
        """Both sides go on sending, to an address that nobody has: silence, not refusal."""
        _run(self.in_server("ip", "neighbour", "replace", CLIENT, "lladdr", NOBODY, "nud", "permanent", "dev", "s"))
        _run(self.in_workers("ip", "neighbour", "replace", SERVER, "lladdr", NOBODY, "nud", "permanent", "dev", "w"))

    def mend(self) -> None:
        _run(self.in_server("ip", "neighbour", "delete", CLIENT, "dev", "s"))
        _run(self.in_workers("ip", "neighbour", "delete", SERVER, "dev", "w"))

    def worsen(self, delay_ms: int, loss_percent: int) -> None:
        """Makes the cable slow and lossy both ways. Raises NoNamespaces where the kernel has no netem."""
        for enter, link in ((self.in_server, "s"), (self.in_workers, "w")):
            words = ("tc", "qdisc", "add", "dev", link, "root", "netem", "delay", f"{delay_ms}ms", "loss")
            try:
                _run(enter(*words, f"{loss_percent}%"))
            except (OSError, subprocess.CalledProcessError) as error:
                raise NoNamespaces(f"no netem here: {(getattr(error, 'stderr', '') or str(error)).strip()}") from None

    def start_redis(self, binary: Path, folder: Path) -> "Redis":
        """A server in its namespace, which workers reach by the cable and the test by a unix socket."""
        return self._stack.enter_context(Redis(self, binary, folder))


class Redis:
    """url: for this process, by socket; workers_url: for the other end of the cable."""

    def __init__(self, cable: Cable, binary: Path, folder: Path) -> None:
        self.url, self.workers_url = f"unix://{folder}/redis.sock?db=0", f"redis://{SERVER}:{PORT}/0"
        options = f"--port {PORT} --bind {SERVER} --protected-mode no --unixsocket redis.sock --unixsocketperm 700"
        command = [str(binary), *options.split(), "--save", "", "--appendonly", "no"]
        tied = cable.in_server(sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid()), *command)
        with open(folder / "redis.log", "wb") as log:
            self._process = subprocess.Popen(tied, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._socket, self.pid = folder / "redis.sock", self._process.pid

    def __enter__(self) -> Self:
        import redis

        until(self._socket.exists, 10, "the server in the namespace listens")
        with redis.Redis.from_url(self.url) as plain:
            assert plain.info("server")["process_id"] == self.pid
        return self

    def __exit__(self, *exception: object) -> None:
        _end(self._process)


def _run(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=10)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()
