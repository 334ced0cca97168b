"""How runs of a function are limited and repeated: what its decorator says. Limits nothing, repeats nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

from doshit.errors import ConfigurationError, TaskCancelled, TimeLimitExceeded
from doshit.values.sizes import size_of
from doshit.values.states import ErrorCode
from doshit.values.times import seconds_of

Kinds = type[BaseException] | tuple[type[BaseException], ...]


class PolicyFields(TypedDict, total=False):
    """What a decorator may say about the runs of its function. An option of one enqueue wins over it.

    time_limit: seconds or a timedelta that one run may take: then TimeLimitExceeded is raised inside it, and soon after
        its process is killed
    memory_limit: bytes, or text such as "200MB", that one run and its child processes may add: then MemoryError, and
        soon after the kill. It gives the function a process of its own, as alone does
    retries: how often a task is run again after a failed run (0)
    retry_delay: seconds or a timedelta before the first of these runs (1); retry_backoff: the factor from each to the
        next (2). The waits are spread, and none is longer than an hour
    retry_on: an exception class or a tuple of them: only these are worth another run. TimeLimitExceeded, MemoryError
        and SystemExit stand for runs whose process was killed or ended
    no_retry_on: the same for those that are not
    alone: an `async def` that must not share its process with others, so that it can be killed without harm to them
    fresh: each run gets a newly forked process
    """

    time_limit: float | timedelta
    memory_limit: int | str
    retries: int
    retry_delay: float | timedelta
    retry_backoff: float
    retry_on: Kinds
    no_retry_on: Kinds
    alone: bool
    fresh: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits and retries of one function, as plain values: seconds, bytes, and None for no limit."""

    time_limit: float | None = None
    memory_limit: int | None = None
    retries: int = 0
    retry_delay: float = 1.0
    retry_backoff: float = 2.0
    retry_on: tuple[type[BaseException], ...] | None = None
    no_retry_on: tuple[type[BaseException], ...] = ()
    alone: bool = False
    fresh: bool = False

    @classmethod
    def of(cls, given: PolicyFields) -> Policy:
        """Raises ConfigurationError, naming the option."""
        for name in given:
            if name not in _READ:
                raise ConfigurationError(f"option {name!r}: there is no such option of a task; options are {_listed()}")
        return cls(**{name: _checked(name, value) for name, value in given.items()})

    def wants_retry(self, error: BaseException) -> bool:
        """Whether a run that ended with this error is worth another one, were there any left."""
        return self._wants(type(error))

    def codes(self) -> list[str]:
        """The error codes of runs that left no exception behind, being killed or ended, that are worth another run."""
        return [code for kind, code in _KILLED if self._wants(kind)]

    def _wants(self, kind: type[BaseException]) -> bool:
        if issubclass(kind, (TaskCancelled, *self.no_retry_on)):
            return False
        return self.retry_on is None or issubclass(kind, self.retry_on)


_KILLED: tuple[tuple[type[BaseException], str], ...] = (
    (TimeLimitExceeded, ErrorCode.TIME_LIMIT.value),
    (MemoryError, ErrorCode.MEMORY_LIMIT.value),
    (SystemExit, ErrorCode.EXITED.value),
)


def limit_seconds(value: float | timedelta) -> float:
    """A time limit in seconds. Raises ValueError for 0, which would end every run at once."""
    seconds = seconds_of(value)
    if seconds < 0.001:
        raise ValueError(f"a limit of {seconds:g} s: give more than 0, or leave it out for none")
    return seconds


def limit_bytes(value: int | str) -> int:
    """A memory limit in bytes. Raises ValueError for 0."""
    size = size_of(value)
    if size == 0:
        raise ValueError("a limit of 0 bytes: give more, or leave it out for none")
    return size


def whole(value: int) -> int:
    """A count. Raises ValueError for anything but a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise ValueError(f"{value!r} is no whole number from 0 on")
    return value


def factor(value: float) -> float:
    """A factor from one wait to the next. Raises ValueError below 1: waits do not shrink."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 1000:
        raise ValueError(f"{value!r} is no factor from 1 to 1000")
    return float(value)


def _kinds(value: Kinds | Iterable[type[BaseException]]) -> tuple[type[BaseException], ...]:
    kinds = (value,) if isinstance(value, type) else tuple(value)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ValueError(f"{kind!r} is no exception class")
    return kinds


def _yes(value: bool) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither True nor False")
    return value


_READ: Mapping[str, Any] = {
    "time_limit": limit_seconds,
    "memory_limit": limit_bytes,
    "retries": whole,
    "retry_delay": seconds_of,
    "retry_backoff": factor,
    "retry_on": _kinds,
    "no_retry_on": _kinds,
    "alone": _yes,
    "fresh": _yes,
}


def _checked(name: str, value: object) -> Any:
    try:
        return _READ[name](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError(f"option {name!r}: {error}") from None


def _listed() -> str:
    return ", ".join(_READ)
