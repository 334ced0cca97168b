"""Servers as people run them: clusters, Sentinels, replicas, TLS, each a process of the test that started it."""

import binascii
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from doshit.server import TIE_TO_PARENT
from servers import private_folder
from worker.workers import until

LOOPBACK = "127.0.0.1"
_SLOTS = 16384
_AT_ONCE = Retry(NoBackoff(), 1)  # Sentinels cut clients off when they change a server


def free_port() -> int:
    """A port whose cluster bus, 10,000 above it, is free too."""
    while True:
        port = random.randrange(20000, 50000)
        with socket.socket() as one, socket.socket() as bus, suppress(OSError):
            one.bind((LOOPBACK, port))
            bus.bind((LOOPBACK, port + 10000))
            return port


class Node:
    """One server process on a loopback port. tls: its port speaks TLS only, and clients need `certs`."""

    def __init__(self, binary: Path, folder: Path, *lines: str, mode: str = "", **connection: Any) -> None:
        self.port = free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self._binary, self._mode, self._connection = binary, mode, connection
        listen = f"port 0\ntls-port {self.port}" if connection.get("ssl") else f"port {self.port}"
        own = [f"bind {LOOPBACK}", listen, "daemonize no", f"dir {self.folder}", "logfile server.log"]
        if not mode:
            own += ['save ""', "appendonly no", "repl-diskless-sync-delay 0", "repl-backlog-size 1mb"]
        (self.folder / "node.conf").write_text("\n".join([*own, *lines]) + "\n")
        self.start()

    def start(self) -> None:

        command = [str(self._binary), "node.conf", *([self._mode] if self._mode else [])]
        tied = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid())] if sys.platform == "linux" else []
        self.process = subprocess.Popen(
            [*tied, *command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.client = redis.Redis(host=LOOPBACK, port=self.port, protocol=2, retry=_AT_ONCE, **self._connection)
        until(self._answers, what=f"the server at {self.port} answers; {self.log()}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            # A port may be anybody's: nothing is written before it is known to be our child's.
            return bool(self.client.info("server")["process_id"] == self.process.pid)
        except redis.ConnectionError:
            return False

    def log(self) -> str:
        file = self.folder / "server.log"
        return file.read_text()[-2000:] if file.exists() else ""

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def role(self) -> str:
        return str(self.client.info("replication")["role"])

    def replicate(self, primary: "Node") -> None:
        """Follows another from now on, and is in step with it."""
        self.client.execute_command("REPLICAOF", LOOPBACK, primary.port)
        until(lambda: self.client.info("replication").get("master_link_status") == "up", what="the replica is in step")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def starter(binary: Path) -> Iterator[Callable[..., Node]]:
    """Starts nodes that end with the block."""
    with private_folder() as folder, ExitStack() as stack:

        def start(*lines: str, **settings: Any) -> Node:
            node = Node(binary, folder, *lines, **settings)
            stack.callback(node.close)
            return node

        yield start


class Cluster:
    """Three masters and a replica of the one that owns the slot of `tag`."""

    def __init__(self, start: Callable[..., Node], tag: str) -> None:
        settings = ("cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0")
        self.slot = binascii.crc_hqx(tag.encode(), 0) % _SLOTS
        self.masters = [start(*settings) for _ in range(3)]
        self.replica = start(*settings)
        bounds = self._bounds = [0, 5461, 10923, _SLOTS]
        for at, node in enumerate(self.masters):
            node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[at], bounds[at + 1] - 1)
            node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        self.owner = next(n for at, n in enumerate(self.masters) if bounds[at] <= self.slot < bounds[at + 1])
        self.others = [node for node in self.masters if node is not self.owner]
        self.nodes = [*self.masters, self.replica]
        for node in self.nodes[1:]:
            node.client.execute_command("CLUSTER", "MEET", LOOPBACK, self.masters[0].port)
        until(lambda: all(self._knows(node, 4) for node in self.nodes), what="all nodes know each other")
        self.replica.client.execute_command("CLUSTER", "REPLICATE", self.id(self.owner))
        until(self._is_whole, what="the cluster is whole")

    def owns(self, node: Node, slot: int) -> bool:
        """As the cluster was made."""
        at = self.masters.index(node)
        return self._bounds[at] <= slot < self._bounds[at + 1]

    def id(self, node: Node) -> str:
        return _text(node.client.execute_command("CLUSTER", "MYID"))

    def _info(self, node: Node) -> dict[str, str]:
        said = node.client.execute_command("CLUSTER", "INFO")
        if isinstance(said, dict):
            return said
        return dict(re.findall(r"(\w+):(\S+)", _text(said)))

    def _knows(self, node: Node, count: int) -> bool:
        return self._info(node)["cluster_known_nodes"] == str(count)

    def _is_whole(self) -> bool:
        up = self.replica.client.info("replication").get("master_link_status") == "up"
        return up and all(self._info(node)["cluster_state"] == "ok" for node in self.nodes)

    def begin_move(self, target: Node) -> None:
        """The slot is under way from its owner to another, as during a resharding."""
        target.client.execute_command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.id(self.owner))
        self.owner.client.execute_command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.id(target))

    def end_move(self, target: Node) -> None:
        """Its keys have gone over, and all know its new owner."""
        while keys := self.owner.client.execute_command("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
            self.owner.client.execute_command("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, self.owner, *self.others):
            node.client.execute_command("CLUSTER", "SETSLOT", self.slot, "NODE", self.id(target))


def _text(said: Any) -> str:
    return said.decode() if isinstance(said, bytes) else str(said)


class Watched:
    """A primary, a replica and three Sentinels that fail over after a second."""

    def __init__(self, start: Callable[..., Node], *, password: str = "", sentinel_password: str = "") -> None:
        guarded = (f"requirepass {password}", f"masterauth {password}") if password else ()
        login = {"password": password} if password else {}
        self.primary, self.replica = start(*guarded, **login), start(*guarded, **login)
        self.replica.replicate(self.primary)
        watch = [
            f"sentinel monitor jobs {LOOPBACK} {self.primary.port} 2",
            "sentinel down-after-milliseconds jobs 1000",
            "sentinel failover-timeout jobs 5000",
        ]
        watch += [f"sentinel auth-pass jobs {password}"] if password else []
        watch += [f"requirepass {sentinel_password}", f"sentinel sentinel-pass {sentinel_password}"] * bool(
            sentinel_password
        )
        own = {"password": sentinel_password} if sentinel_password else {}
        self.sentinels = [start(*watch, mode="--sentinel", **own) for _ in range(3)]
        until(lambda: all(self._ready(node) for node in self.sentinels), what="the Sentinels know all")

    def _ready(self, sentinel: Node) -> bool:
        state = sentinel.client.execute_command("SENTINEL", "MASTER", "jobs")
        if not isinstance(state, dict):
            state = dict(zip(map(_text, state[::2]), map(_text, state[1::2]), strict=True))
        return (str(state["num-other-sentinels"]), str(state["num-slaves"])) == ("2", "1")

    @property
    def hosts(self) -> str:
        return ",".join(node.host for node in self.sentinels)
