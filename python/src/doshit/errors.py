"""The errors a user of doshit can meet; knows nothing else of the package.

    DoshitError
    ├── ConfigurationError      a setting, a name or a target that cannot be used
    │   ├── BadTask             a function that cannot be a task as it is written
    │   └── ServerNotFound      no Redis or Valkey server could be found to start
    ├── BadArguments            a call that its function would refuse; nothing was pushed
    ├── IdConflict              the id is taken by another function or other arguments
    ├── ResultNotJson           a return value that JSON cannot carry
    ├── BadValue                bytes in Redis that are not the JSON they should be
    ├── ServerError             what Redis refused
    │   ├── NotPermitted        the user of the URL may not run a command that is needed
    │   ├── ServerUnavailable   nobody answers there
    │   └── ServerUnsuitable    somebody answers, but doshit cannot work with it
    └── ResultError             what a waiter can get in place of a result
        ├── TaskFailed          the task ended, and failed
        ├── TaskVanished        there is no such task, or no longer
        └── WaitTimeout         the task has not ended in time (also a TimeoutError)

A message says what is wrong, where, and the next step.

Four more are no errors of doshit, but how a run and its worker speak to each other:

    Exception
    ├── Retry                   raised or returned by a task: run me again
    └── Cancel                  raised or returned by a task: I need not be done
    BaseException
    ├── TimeLimitExceeded       raised inside a run whose time is up
    └── TaskCancelled           raised inside a run that somebody cancelled
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta


class DoshitError(Exception):
    """The root of everything doshit raises on purpose."""


class ConfigurationError(DoshitError):
    """A setting, a name or a target that cannot be used."""


class BadTask(ConfigurationError):
    """A function that cannot be a task as it is written."""


class ServerNotFound(ConfigurationError):
    """No Redis or Valkey server could be found to start."""


class BadArguments(DoshitError):
    """A call that its function would refuse. At the caller: nothing was pushed.

    function: its name; parameter: the one at fault, or None; reason: one line that says where.
    """

    def __init__(self, reason: str, function: str = "", parameter: str | None = None) -> None:
        self.function, self.parameter, self.reason = function, parameter, reason
        super().__init__(f"{function}: {reason}" if function else reason)


class IdConflict(DoshitError):
    """The id is taken by another function or other arguments.

    id: the id. An id is the idempotency key of its task as long as the task's hash lives.
    handles: after enqueue_many, the handles of what was submitted all the same, in order, None at each conflict.
    """

    def __init__(self, id: str, handles: Sequence[Any] = ()) -> None:
        self.id, self.handles = id, handles
        super().__init__(
            f"task id {id!r} is taken by another function or other arguments; "
            f"choose another id, or read that task with `doshit show {id}`"
        )


class ResultNotJson(DoshitError):
    """A return value that JSON cannot carry. The message says where in the value and why."""


class BadValue(DoshitError):
    """Bytes in Redis that are not the JSON they should be."""


class ServerError(DoshitError):
    """What Redis refused: the message is Redis's own, with the next step where one is known."""


class NotPermitted(ServerError):
    """The user of the URL may not run a command that is needed, or not on this key or channel."""


class ServerUnavailable(ServerError):
    """Nobody answers there; the message says what was tried and the ways to get a server."""


class ServerUnsuitable(ServerError):
    """Somebody answers, but doshit cannot work with it: too old, a cluster, a replica."""


class ResultError(DoshitError):
    """What a waiter can get in place of a result. id: the task's."""

    def __init__(self, message: str, id: str) -> None:
        self.id = id
        super().__init__(message)


class TaskFailed(ResultError):
    """The task ended, and failed.

    id; code: one word of protocol/tables/errors.json, for example "exception" or "bad-args"; reason: one line for a
    person; remote_traceback: the traceback of the run as text, or "".
    """

    def __init__(self, id: str, code: str, reason: str, remote_traceback: str = "") -> None:
        self.code, self.reason, self.remote_traceback = code, reason, remote_traceback
        super().__init__(f"task {id} failed ({code}): {reason}", id)
        if remote_traceback:
            self.add_note(f"where it ran:\n{remote_traceback.rstrip()}")


class TaskVanished(ResultError):
    """There is no such task, or no longer: its hash expired or was deleted."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"task {id} is not in Redis: it was never submitted, or its result has expired; "
            "submit it again if you need it",
            id,
        )


class WaitTimeout(ResultError, TimeoutError):
    """The task has not ended in time; it goes on. seconds: how long was waited."""

    def __init__(self, id: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"task {id} has not ended within {seconds:g} s; it goes on: wait again, or look with `doshit show {id}`",
            id,
        )


class Retry(Exception):
    """Raised or returned by a task: run it again, whatever retry_on says.

    after: seconds until then, or a timedelta; None: as its retry_delay and retry_backoff say. reason: one line, kept
    with the attempt. It counts as a retry: where `retries` is set, that many are granted, else 100. Raises
    ConfigurationError for an `after` that is no duration.
    """

    def __init__(self, after: float | timedelta | None = None, reason: str = "") -> None:
        self.after, self.reason = _seconds(after), str(reason)
        super().__init__(self.after, self.reason)

    def __str__(self) -> str:
        when = "" if self.after is None else f" after {self.after:g} s"
        return self.reason or f"the task asked to be run again{when}"


class Cancel(Exception):
    """Raised or returned by a task: it need not be done. It fails with the code "cancelled" and this reason."""

    def __init__(self, reason: str = "") -> None:
        self.reason = str(reason)
        super().__init__(self.reason)

    def __str__(self) -> str:
        return self.reason or "the task cancelled itself"


class TimeLimitExceeded(BaseException):
    """Raised inside a run whose time is up: clean up and let it go on; what stays is killed after a short grace.

    It is no Exception, so `except Exception` does not swallow it.
    """


class TaskCancelled(BaseException):
    """Raised inside a run that was cancelled: clean up and let it go on; what stays is killed after a short grace.

    It is no Exception, so `except Exception` does not swallow it.
    """


def _seconds(after: float | timedelta | None) -> float | None:
    if after is None:
        return None
    # A timedelta is told by its method: this module imports nothing that costs.
    total: Callable[[], float] | None = getattr(after, "total_seconds", None)
    try:
        seconds = float(after) if total is None else total()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < 1e10:
        raise ConfigurationError(f"Retry(after={after!r}): give 0 or more seconds, or a timedelta")
    return seconds
