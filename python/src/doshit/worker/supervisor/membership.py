"""The worker's name in Redis: registers it, describes it, keeps its lease, takes it away. Touches no task."""

from __future__ import annotations

import os
import platform
import re
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from doshit.commands import Beat, beat
from doshit.values.catalog import catalog_sha
from doshit.values.keys import Keys
from doshit.values.states import BEAT, LEASE_MS, PROTOCOL_VERSION
from doshit.values.times import format_timestamp
from doshit.worker.process import boot, pid_namespace, started
from doshit.worker.supervisor.session import Refused, Session

HOST_BYTES = 32  # of the host's name in a worker id


def new_worker_id() -> str:
    """A name that says where, and is new for each start: host-pid-random.

    At most 47 bytes, so that a claim stays within 64: Redis keeps a hash in its small form only while no value is
    longer (hash-max-listpack-value; Redis documentation, "Memory optimization").
    """
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:HOST_BYTES] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


class Membership:
    """One worker among the workers. on_sealed: it was taken for dead; on_held: how many tasks Redis says it holds;
    on_stops: claims of its tasks that it is asked to end.
    """

    def __init__(self, session: Session, keys: Keys, queues: Sequence[str], concurrency: int) -> None:
        self._session, self._keys, self._queues, self._concurrency = (
            session,
            keys,
            queues,
            concurrency,
        )
        self.id = new_worker_id()
        self.on_sealed: Callable[[], None] = lambda: None
        self.on_held: Callable[[int], None] = lambda held: None
        self.on_stops: Callable[[list[bytes]], None] = lambda claims: None
        self._catalog: Mapping[str, str] = {}
        self._sha = ""
        self._started = format_timestamp(datetime.now(UTC))
        self._next = 0.0
        self._asked = False

    def publish(self, catalog: Mapping[str, str]) -> None:
        """Takes the functions this worker serves: name to JSON. They are told to Redis by the next register()."""
        self._catalog = catalog
        self._sha = catalog_sha(catalog)

    def register(self) -> None:
        """Tells Redis who this is. The lease begins with the beat that follows."""
        about = {
            "host": socket.gethostname(), "pid": os.getpid(), "started": self._started,
            "queues": ",".join(self._queues),
            "concurrency": self._concurrency, "language": f"python {platform.python_version()}", "version": _version(),
            "catalog": self._sha, "boot": boot(), "pidns": pid_namespace(), "born": started(os.getpid()),
        }  # fmt: skip
        keys, life = self._keys, LEASE_MS * 6
        catalog = [part for pair in self._catalog.items() for part in pair]
        commands: list[Sequence[Any]] = [
            ("SET", keys.protocol, PROTOCOL_VERSION, "NX"),
            ("SADD", keys.queues, *self._queues),
            ("HSET", keys.catalog(self._sha), *catalog),
            ("PEXPIRE", keys.catalog(self._sha), life),
            (
                "HSET",
                keys.worker(self.id),
                *(part for pair in about.items() for part in pair),
            ),
            ("PEXPIRE", keys.worker(self.id), life),
            # A lease that is not over, in any clock; the beat sets the real one. NX: a sealed name stays sealed.
            ("ZADD", keys.workers, "NX", int(time.time() * 1000) + LEASE_MS, self.id),
        ]
        for command in commands:
            self._session.call(command, lambda reply: None)
        self._send()

    def begin_again(self) -> None:
        """A new name, after the old one was sealed."""
        self.id = new_worker_id()
        self.register()

    def tick(self, now: float) -> None:
        """Beats when it is time."""
        if now >= self._next and not self._asked:
            self._next = now + BEAT
            self._send()

    def beat_now(self) -> None:
        """Beats before it is time: something is to be heard."""
        self._next = 0.0

    def _send(self) -> None:
        self._asked = True
        worker = self.id
        self._session.call(
            beat(self._keys, worker, lease_ms=LEASE_MS),
            lambda reply: self._heard(reply, worker),
        )

    def _heard(self, reply: Beat | Refused, worker: str) -> None:
        self._asked = False
        if isinstance(reply, Refused) or worker != self.id:
            return
        if reply.state == "unknown":
            self.register()
        elif reply.state == "sealed":
            self.on_sealed()
        else:
            if reply.stops:
                self.on_stops(reply.stops)
            self.on_held(reply.held)

    def leave(self) -> None:
        """Takes the name away; nothing may be held any more."""
        for command in (
            ("ZREM", self._keys.workers, self.id),
            ("DEL", self._keys.worker(self.id)),
        ):
            self._session.call(command, lambda reply: None)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("doshit")
    except PackageNotFoundError:
        return "0"
