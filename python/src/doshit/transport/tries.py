"""Decides whether what has failed is tried again, and when. Sends nothing and does not sleep.

Only for what is safe to send twice, which all is that this package sends.
"""

from __future__ import annotations

from time import monotonic

import redis.exceptions

from doshit.errors import ServerUnavailable
from doshit.transport.connect import Unreached
from doshit.transport.route import Route
from doshit.values.backoff import backoff

_TRIES = 5
# Seconds: as long as another node may need to take over. Where there is none, one wants to hear of it at once.
_PATIENCE = 10.0
_PASSING = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.AskError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.ReadOnlyError,
    Unreached,
    OSError,
)
_SILENCE = (redis.exceptions.TimeoutError, TimeoutError)
_FINAL = (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError)


class Tries:
    """The tries of one command."""

    def __init__(self, route: Route) -> None:
        self._route, self._count, self._until = route, 0, monotonic() + _PATIENCE

    def pause(self, error: Exception) -> float:
        """Seconds until the next try. Raises the error when there is no use in one. The route learns from it."""
        if not isinstance(error, _PASSING) or isinstance(error, _FINAL):
            raise error
        # What is already translated comes from the route itself, or has been told to it.
        if not isinstance(error, Unreached) and not self._route.follow(error):
            raise error
        if isinstance(error, _SILENCE):
            raise error  # one has waited long enough
        self._count += 1
        if isinstance(error, Unreached) and error.silent and not self._route.moves:
            self._count = _TRIES
        if self._count == 1 and isinstance(error, redis.exceptions.MovedError):
            return 0.0
        if self._count >= _TRIES and not (self._route.moves and monotonic() < self._until):
            raise ServerUnavailable(str(error)) if isinstance(error, Unreached) else error
        return backoff(self._count, 0.05, ceiling=0.5)
