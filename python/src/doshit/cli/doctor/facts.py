"""What the doctor read, and what it made of it, as plain values. Reads nothing, decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

SHOWN = 5
"""How many ids of a finding are shown; its count says how many there are."""


class Severity(StrEnum):
    """error: tasks are lost or stuck now; warning: they may be, or somebody has to look; advice: it could be better."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Target(NamedTuple):
    """One thing that a finding is about: an id, a worker or a setting, and the queue it belongs to, or ""."""

    id: str
    queue: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    code: its name in docs/doctor.md; where: the key or setting; remedy: the next step, in one line; targets: what it is
    about, as far as known; count: how many there are, which may be more; fix: whether --fix can do something.
    """

    code: str
    severity: Severity
    what: str
    where: str
    remedy: str
    targets: tuple[Target, ...] = ()
    count: int = 1
    fix: bool = False


@dataclass(frozen=True)
class Clock:
    """ahead: how far the clock of Redis is before this machine's (s), give or take slack. jumped: how far it went
    against a clock that never jumps while the doctor looked (s). None where TIME may not be asked."""

    ahead: float | None = None
    slack: float = 0.0
    jumped: float | None = None


@dataclass(frozen=True)
class Worker:
    """A worker of the sorted set. lease: its score there, ms. held: how many tasks it holds, None where unknown."""

    id: str
    lease: float
    queues: tuple[str, ...] = ()
    catalog: str = ""
    held: int | None = None


@dataclass(frozen=True)
class Queue:
    """One queue: the length of each of its keys by the key's name, and samples.

    listed: whether it stands in {app}:queues. overdue: ids in scheduled whose time is long over. functions: a sample of
    what waits, function -> ids. ended: how many of the next ids are of tasks that have ended. failures: error code ->
    how many among the newest failed.
    """

    name: str
    listed: bool = True
    lengths: Mapping[str, int] = field(default_factory=dict)
    overdue: tuple[str, ...] = ()
    overdue_count: int = 0
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ended: int = 0
    quarantine: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)

    def length(self, kind: str) -> int:
        return self.lengths.get(kind, 0)


class Entry(NamedTuple):
    """An entry of an executing list with what its hash says, "" for what is not there."""

    state: str
    worker: str
    claim: str
    started: str
    held: bool

    @property
    def hashed(self) -> bool:
        return bool(self.state or self.worker or self.claim)


class Task(NamedTuple):
    """The hash of a task, "" for what is not there. ttl: ms, -1 for none. Sizes in bytes, 0 where unknown."""

    state: str
    function: str
    queue: str
    worker: str
    claim: str
    created: str
    result_ttl: str
    ttl: int
    args_size: int = 0
    result_size: int = 0
    memory: int = 0


class WrongType(NamedTuple):
    """A key that another type is written for in the protocol."""

    key: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Facts:
    """All that was read. now: the Redis clock, seconds. Whatever may change while one looks was looked at twice.

    settings: of CONFIG. strangers: workers that know the contract only. strays: workers that hold tasks and stand
    nowhere. unhashed: (queue, id) in pending. executing: (queue, id) -> what is wrong there. lost: hashes that are not
    over and stand nowhere. endless: finished hashes without a lifetime. large: hashes with large values.
    cut: what was left out; unread: command -> why it was refused.
    """

    prefix: str
    now: float
    info: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    protocol: str = ""
    duties: Mapping[str, str] = field(default_factory=dict)
    workers: tuple[Worker, ...] = ()
    strangers: tuple[str, ...] = ()
    strays: Mapping[str, int] = field(default_factory=dict)
    catalogs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    queues: tuple[Queue, ...] = ()
    wrong: tuple[WrongType, ...] = ()
    unhashed: tuple[Target, ...] = ()
    executing: Mapping[Target, Entry] = field(default_factory=dict)
    lost: Mapping[str, Task] = field(default_factory=dict)
    endless: Mapping[str, Task] = field(default_factory=dict)
    large: Mapping[str, Task] = field(default_factory=dict)
    cut: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def live(self) -> tuple[Worker, ...]:
        """The workers whose lease is not over."""
        return tuple(worker for worker in self.workers if worker.lease >= self.now * 1000)
