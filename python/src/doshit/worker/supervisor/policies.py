"""What applies to a task's runs: its hash's fields, over its function's decorator, under the worker's caps. No I/O."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from doshit.commands import Claimed
from doshit.values.backoff import backoff
from doshit.worker.wire import Wishes

_SUSPECTS = 1000  # ids that are remembered
_ASKED_MOST = 100  # retries that runs may ask for themselves where nothing says how many
_NONE: Mapping[str, Any] = {}


class Policies:
    """The policies of the functions that are served, and the caps of this worker (seconds, bytes; None: none)."""

    def __init__(self, time_cap: float | None, memory_cap: int | None) -> None:
        self._time_cap, self._memory_cap = time_cap, memory_cap
        self._of: Mapping[bytes, Mapping[str, Any]] = {}
        # Functions of which something is unusual: most tasks are none of theirs, and that is asked of every task.
        self._limited: frozenset[bytes] = frozenset()
        self._fresh: frozenset[bytes] = frozenset()
        self._alone: frozenset[bytes] = frozenset()
        self._shared: frozenset[bytes] = frozenset()
        self._suspects: dict[bytes, None] = {}

    def take(self, policies: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes what a target says of its functions."""
        self._of = {name.encode(): policy for name, policy in policies.items()}
        self._fresh = self._which(lambda policy: policy["fresh"])
        weighed = self._which(lambda policy: self._memory_cap is not None or policy["memory_limit"])
        self._alone = weighed | self._fresh
        timed = self._which(lambda policy: self._time_cap is not None or policy["time_limit"])
        self._limited = timed | weighed
        self._shared = self._which(lambda policy: policy["is_async"] and not policy["alone"])

    def _which(self, fits: Callable[[Mapping[str, Any]], Any]) -> frozenset[bytes]:
        return frozenset(name for name, policy in self._of.items() if fits(policy))

    def wishes_of(self, tasks: Sequence[Claimed]) -> list[Wishes | None]:
        """What is unusual about the runs of these tasks."""
        return [self.wishes(task) if task.function in self._limited or any(task[7:]) else None for task in tasks]

    def wishes(self, task: Claimed) -> Wishes | None:
        """What is unusual about a run of this task; None for most."""
        if task.function not in self._limited and not (
            task.time_limit or task.memory_limit or task.username or task.traceparent
        ):
            return None
        return Wishes(self._time_limit(task), self._memory_limit(task), task.username, task.traceparent)

    def _time_limit(self, task: Claimed) -> float | None:
        own = _said(task.time_limit, self._policy(task).get("time_limit"))
        limits = [limit for limit in (own, self._time_cap) if limit is not None]
        return min(limits, default=None)

    def _memory_limit(self, task: Claimed) -> int | None:
        own = _said(task.memory_limit, self._policy(task).get("memory_limit"))
        limits = [int(limit) for limit in (own, self._memory_cap) if limit is not None]
        return min(limits, default=None)

    def _policy(self, task: Claimed) -> Mapping[str, Any]:
        return self._of.get(task.function, _NONE)

    def is_alone(self, task: Claimed) -> bool:
        """Must nothing wait behind its run? Only then its memory is its own, and its process can be killed or left."""
        return bool(task.memory_limit) or task.function in self._alone

    def is_shared(self, task: Claimed) -> bool:
        """May it run beside others in one process? An `async def` that needs no process of its own."""
        return task.function in self._shared and task.id not in self._suspects and not self.is_alone(task)

    @property
    def any_shared(self) -> bool:
        """Is there a function whose runs may share a process?"""
        return bool(self._shared)

    @property
    def all_shared(self) -> bool:
        """Are there no others?"""
        return len(self._shared) == len(self._of)

    def suspect(self, ids: Iterable[bytes]) -> None:
        """One of these ended its process and nobody knows which: next time each gets a process of its own."""
        self._suspects.update(dict.fromkeys(ids))
        for old in list(self._suspects)[:-_SUSPECTS]:
            del self._suspects[old]

    def is_fresh(self, task: Claimed) -> bool:
        """Does it want a process in which nothing has run?"""
        return task.function in self._fresh

    def retry_in(self, task: Claimed, code: str, again: float | bool | None) -> float | None:
        """Seconds until its next run after a failed one, or None: it has had enough.

        again: what the run said (wire.py), None where it left no word; then its error code decides.
        """
        policy = self._policy(task)
        asked = type(again) is float
        if again is None and code not in policy.get("retry_codes", ()):
            return None
        retried = _said(task.retried, 0)
        allowed = _said(task.retries, policy.get("retries", 0))
        if asked and not allowed:
            allowed = _ASKED_MOST
        if retried >= allowed:
            return None
        return float(again) if asked and again is not None and again >= 0 else self._wait(task, retried)

    def _wait(self, task: Claimed, retried: float) -> float:
        policy = self._policy(task)
        first = _said(task.retry_delay, policy.get("retry_delay", 1.0))
        factor = _said(task.retry_backoff, policy.get("retry_backoff", 2.0))
        return backoff(int(retried) + 1, first, factor, jitter=random.random())


def _said(value: bytes | None, otherwise: Any) -> Any:
    """A number of a task's hash. claim has looked at what a producer wrote, but a stranger may write at any time."""
    if value is None or not re.fullmatch(rb"\d{1,15}(\.\d{0,14})?", value):
        return otherwise
    return float(value)
