"""Reads the end of a task off its hash, and says how long a waiter goes on. Sends nothing, reads no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doshit.errors import ConfigurationError, ServerUnavailable, TaskFailed, TaskVanished, WaitTimeout
from doshit.values.backoff import backoff
from doshit.values.codec import decode_value, decode_value_as

# state and function only tell whether there is a hash at all.
END_FIELDS = ("result", "result-value", "error-code", "error-reason", "error-exception", "state", "function")

REREAD = 2.0
"""Seconds after which a waiter looks again, whatever it has heard: a message is a hint, the hash is the truth."""
NEVER_SEEN = 5.0
"""Seconds that a task nobody has seen yet may take to appear."""
AWAY = 60.0
"""Seconds without an answer of Redis after which a wait without timeout ends."""


class _Pending:
    def __repr__(self) -> str:
        return "PENDING"


PENDING: Any = _Pending()


def text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "replace")


def value_of(raw: bytes | None, kind: Any) -> Any:
    """The result a finished task left, read as its function's annotation says."""
    if raw is None:
        return None
    return decode_value(raw) if kind is Any else decode_value_as(raw, kind)


class Wait:
    """One wait for one task, from its first look to its outcome. Times are those of one monotonic clock, in seconds."""

    __slots__ = ("_away_since", "_blips", "_kind", "_known", "_looks", "_started", "_timeout", "id")

    def __init__(self, id: str, kind: Any, known: bool, timeout: float | None, now: float) -> None:
        if timeout is not None and not (isinstance(timeout, int | float) and timeout == timeout):
            raise ConfigurationError(f"timeout: {timeout!r} is no number of seconds; leave it out to wait for ever")
        self.id, self._kind, self._known = id, kind, known
        self._timeout, self._started = timeout, now
        self._away_since: float | None = None
        self._blips = 0
        self._looks = 0

    def take(self, told: bytes) -> Any:
        """The result in the message of its end. Raises BadValue when it is no JSON or does not fit the annotation."""
        return value_of(told, self._kind)

    def judge(self, reply: Sequence[bytes | None], now: float) -> Any:
        """The result in a reply to HMGET of END_FIELDS, or PENDING.

        Raises TaskFailed; TaskVanished; BadValue when what is there is no JSON or does not fit the annotation.
        """
        self._away_since = None
        result = reply[0]
        if result == b"successful":
            return value_of(reply[1], self._kind)
        if result is not None:
            raise TaskFailed(self.id, text(reply[2]) or "exception", text(reply[3]), text(reply[4]))
        if reply[5] is None and reply[6] is None:
            if self._known or now - self._started >= NEVER_SEEN:
                raise TaskVanished(self.id)
        else:
            self._known = True
        return PENDING

    def pause(self, now: float) -> float:
        """Seconds until the next look at the latest. Raises WaitTimeout when the time is up."""
        waited = now - self._started
        longest = REREAD if self._known else min(REREAD, max(NEVER_SEEN - waited, 0.01))
        if self._timeout is None:
            return longest
        if waited >= self._timeout:
            raise WaitTimeout(self.id, self._timeout)
        return min(longest, self._timeout - waited)

    def away(self, error: ServerUnavailable, now: float) -> float:
        """Seconds to wait before the next try, Redis being away: a blip is no reason to raise.

        Raises WaitTimeout, which then says so, when the time is up; without a timeout the error itself after 60 s.
        """
        if self._away_since is None:
            self._away_since, self._blips = now, 0
        self._blips += 1
        if self._timeout is None and now - self._away_since >= AWAY:
            raise error
        try:
            return min(self.pause(now), backoff(self._blips, 0.05, ceiling=1.0))
        except WaitTimeout as late:
            late.add_note(f"Redis did not answer at the end: {error}")
            raise

    def blind(self, now: float) -> float:
        """Seconds until the next look where nothing can be heard: soon at first. Raises WaitTimeout."""
        self._looks += 1
        return min(self.pause(now), backoff(self._looks, 0.01, factor=1.3, ceiling=0.5))
