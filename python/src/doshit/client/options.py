"""How a task is to be enqueued, kept apart from its arguments. Checks and spells options; knows no task."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

from doshit.client.policy import factor, limit_bytes, limit_seconds, whole
from doshit.errors import ConfigurationError
from doshit.values.names import check_id, check_queue
from doshit.values.times import decimal_seconds, format_timestamp, seconds_of

FRONT = "front"
"""What submit is told in place of a delay."""
_PLACES = ("delay", "at", "front")


class OptionFields(TypedDict, total=False):
    """What may be said about one enqueue.

    queue: its name, by default the task's, else the app's
    id: your own, 1 to 255 bytes: the idempotency key of this task as long as it is in Redis
    delay: seconds or a timedelta, from now, before a worker may take it
    at: an aware datetime in place of delay, by the clock of this machine; a past one is now
    front: before all that wait in the queue; not together with delay or at
    expires: an aware datetime, or seconds or a timedelta from now (by the clock of this machine); a task that has not
        started by then fails with the code "expired"
    result_ttl: seconds or a timedelta that the task stays readable after its end, or "keep"
    time_limit, memory_limit, retries, retry_delay, retry_backoff: as in the decorator, which these win over
    username, traceparent: who asked; W3C trace context. Both are written into the hash
    """

    queue: str
    id: str
    delay: float | timedelta
    at: datetime
    front: bool
    expires: float | timedelta | datetime
    result_ttl: float | timedelta | Literal["keep"]
    time_limit: float | timedelta
    memory_limit: int | str
    retries: int
    retry_delay: float | timedelta
    retry_backoff: float
    username: str
    traceparent: str


class Options:
    """Checked options. Those that hang on the clock are worked out at each enqueue, not when they are written down."""

    __slots__ = ("_clocked", "_delay", "_given", "_steady", "id", "queue")

    def __init__(self, given: OptionFields) -> None:
        """Raises ConfigurationError, naming the option."""
        for name in given:
            if name not in OptionFields.__annotations__:
                raise ConfigurationError(f"option {name!r}: there is no such option; options are {_listed()}")
        _refuse_two_places(given)
        self._given = given
        self.queue = check_queue(_text("queue", given["queue"])) if "queue" in given else ""
        self.id = check_id(_text("id", given["id"])) if "id" in given else ""
        self._steady = tuple(_steady_fields(given))
        self._delay = _spell("delay", decimal_seconds, given["delay"]) if "delay" in given else ""
        if _spell("front", _yes, given.get("front", False)):
            self._delay = FRONT
        self._clocked = "at" in given or "expires" in given
        if self._clocked:
            self.timing(datetime.now(UTC))

    def over(self, given: OptionFields) -> Options:
        """These, with others put on top of them."""
        base: Any = self._given
        if any(name in given for name in _PLACES):
            base = {name: value for name, value in base.items() if name not in _PLACES}
        return Options({**base, **given})

    def timing(self, now: datetime | None = None) -> tuple[str, tuple[str, ...]]:
        """The delay in seconds, "" for none, or "front", and the further fields of the hash, flat. now: for tests."""
        if not self._clocked:
            return self._delay, self._steady
        now = now or datetime.now(UTC)
        delay, fields = self._delay, self._steady
        if "at" in self._given:
            delay = _spell("at", _delay_until, self._given["at"], now)
        if "expires" in self._given:
            fields += ("expires", _spell("expires", _moment, self._given["expires"], now))
        return delay, fields


def _listed() -> str:
    return ", ".join(OptionFields.__annotations__)


def _refuse_two_places(given: OptionFields) -> None:
    places = [name for name in _PLACES if name in given and given.get(name) is not False]
    if len(places) > 1:
        raise ConfigurationError(f"options {places[0]!r} and {places[1]!r}: give one of them")


def _yes(value: object) -> str:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither True nor False")
    return FRONT if value else ""


def _steady_fields(given: OptionFields) -> Iterable[str]:
    if "result_ttl" in given:
        ttl = given["result_ttl"]
        yield from ("result-ttl", "keep" if ttl == "keep" else _spell("result_ttl", decimal_seconds, ttl))
    for name, how in _RUNS.items():
        if name in given:
            yield from (name.replace("_", "-"), _spell(name, how, given.get(name)))
    if "username" in given:
        yield from ("username", _utf8("username", given["username"]))
    if "traceparent" in given:
        yield from ("traceparent", _utf8("traceparent", given["traceparent"]))


_RUNS: dict[str, Any] = {
    "time_limit": lambda value: decimal_seconds(limit_seconds(value)),
    "memory_limit": limit_bytes,
    "retries": whole,
    "retry_delay": decimal_seconds,
    "retry_backoff": lambda value: decimal_seconds(factor(value)),
}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"option {name!r}: expected text, got {type(value).__name__}")
    return value


def _utf8(name: str, value: object) -> str:
    text = _text(name, value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"option {name!r}: a lone surrogate cannot be written as UTF-8") from None
    return text


def _spell(name: str, how: Any, *values: object) -> str:
    try:
        return str(how(*values))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigurationError(f"option {name!r}: {error}") from None


def _delay_until(moment: datetime, now: datetime) -> str:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(f"{moment!r} is no moment: give an aware datetime, as datetime.now(UTC) is")
    left = (moment - now).total_seconds()
    return decimal_seconds(left) if left > 0 else ""


def _moment(when: datetime | float | timedelta, now: datetime) -> str:
    if isinstance(when, datetime):
        return format_timestamp(when)
    return format_timestamp(now + timedelta(seconds=seconds_of(when)))
