"""What applies to a task's runs: the fields of its hash over its function's decorator, under the worker's caps. No I/O."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from doshit.commands import Claimed
from doshit.values.backoff import backoff
from doshit.worker.wire import Wishes

_ASKED_MOST = 100  # retries that runs may ask for themselves where nothing says how many
_NONE: Mapping[str, Any] = {}


class Policies:
    """The policies of the functions that are served, and the caps of this worker (seconds, bytes; None: none)."""

    def __init__(self, time_cap: float | None, memory_cap: int | None) -> None:
        self._time_cap, self._memory_cap = time_cap, memory_cap
        self._of: Mapping[bytes, Mapping[str, Any]] = {}
        self._limited: frozenset[bytes] = frozenset()

    def take(self, policies: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes what a target says of its functions."""
        self._of = {name.encode(): policy for name, policy in policies.items()}
        capped = self._time_cap is not None or self._memory_cap is not None
        self._limited = frozenset(
            name for name, policy in self._of.items() if capped or policy["time_limit"] or policy["memory_limit"]
        )

    def wishes(self, task: Claimed) -> Wishes | None:
        """What is unusual about a run of this task; None for most."""
        if task.function not in self._limited and not (
            task.time_limit or task.memory_limit or task.username or task.traceparent
        ):
            return None
        return Wishes(self._time_limit(task), self._memory_limit(task), task.username, task.traceparent)

    def _time_limit(self, task: Claimed) -> float | None:
        own = float(task.time_limit) if task.time_limit else self._policy(task).get("time_limit")
        limits = [limit for limit in (own, self._time_cap) if limit is not None]
        return min(limits, default=None)

    def _memory_limit(self, task: Claimed) -> int | None:
        own = int(task.memory_limit) if task.memory_limit else self._policy(task).get("memory_limit")
        limits = [limit for limit in (own, self._memory_cap) if limit is not None]
        return min(limits, default=None)

    def _policy(self, task: Claimed) -> Mapping[str, Any]:
        return self._of.get(task.function, _NONE)

    def is_alone(self, task: Claimed) -> bool:
        """Must nothing wait behind its run? Only then its memory is its own, and its process can be killed or left."""
        return self.is_fresh(task) or (
            bool(task.memory_limit or task.function in self._limited) and self._memory_limit(task) is not None
        )

    def is_fresh(self, task: Claimed) -> bool:
        """Does it want a process in which nothing has run?"""
        return bool(self._policy(task).get("fresh"))

    def retry_in(self, task: Claimed, code: str, again: float | bool | None) -> float | None:
        """Seconds until its next run after a failed one, or None: it has had enough.

        again: what the run said (wire.py), None where it left no word; then its error code decides.
        """
        policy = self._policy(task)
        asked = type(again) is float
        if again is None and code not in policy.get("retry_codes", ()):
            return None
        retried = int(task.retried or 0)
        allowed = int(task.retries) if task.retries else policy.get("retries", 0)
        if asked and not allowed:
            allowed = _ASKED_MOST
        if retried >= allowed:
            return None
        return float(again) if asked and again is not None and again >= 0 else self._wait(task, retried)

    def _wait(self, task: Claimed, retried: int) -> float:
        policy = self._policy(task)
        first = float(task.retry_delay) if task.retry_delay else policy.get("retry_delay", 1.0)
        factor = float(task.retry_backoff) if task.retry_backoff else policy.get("retry_backoff", 2.0)
        return backoff(retried + 1, first, factor, jitter=random.random())
