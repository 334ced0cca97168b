"""How a task is to be enqueued, kept apart from its arguments. Checks and spells options; knows no task."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

from doshit.errors import ConfigurationError
from doshit.values.names import check_id, check_queue
from doshit.values.times import decimal_seconds, format_timestamp, seconds_of


class OptionFields(TypedDict, total=False):
    """What may be said about one enqueue.

    queue: its name, by default the task's, else the app's
    id: your own, 1 to 255 bytes: the idempotency key of this task as long as it is in Redis
    delay: seconds or a timedelta, from now, before a worker may take it
    at: an aware datetime in place of delay, by the clock of this machine; a past one is now
    expires: an aware datetime, or seconds or a timedelta from now (by the clock of this machine); a task that has not
        started by then fails with the code "expired"
    result_ttl: seconds or a timedelta that the task stays readable after its end, or "keep"
    username, traceparent: who asked; W3C trace context. Both are written into the hash
    """

    queue: str
    id: str
    delay: float | timedelta
    at: datetime
    expires: float | timedelta | datetime
    result_ttl: float | timedelta | Literal["keep"]
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
        if "delay" in given and "at" in given:
            raise ConfigurationError("options 'delay' and 'at': give one of them")
        self._given = given
        self.queue = check_queue(_text("queue", given["queue"])) if "queue" in given else ""
        self.id = check_id(_text("id", given["id"])) if "id" in given else ""
        self._steady = tuple(_steady_fields(given))
        self._delay = _spell("delay", decimal_seconds, given["delay"]) if "delay" in given else ""
        self._clocked = "at" in given or "expires" in given
        if self._clocked:
            self.timing(datetime.now(UTC))

    def over(self, given: OptionFields) -> Options:
        """These, with others put on top of them."""
        merged: Any = {**self._given, **given}
        if "at" in given and "delay" not in given:
            merged.pop("delay", None)
        if "delay" in given and "at" not in given:
            merged.pop("at", None)
        return Options(merged)

    def timing(self, now: datetime | None = None) -> tuple[str, tuple[str, ...]]:
        """The delay in seconds, "" for none, and the further fields of the hash, flat. now: for tests."""
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


def _steady_fields(given: OptionFields) -> Iterable[str]:
    if "result_ttl" in given:
        ttl = given["result_ttl"]
        yield from ("result-ttl", "keep" if ttl == "keep" else _spell("result_ttl", decimal_seconds, ttl))
    if "username" in given:
        yield from ("username", _utf8("username", given["username"]))
    if "traceparent" in given:
        yield from ("traceparent", _utf8("traceparent", given["traceparent"]))


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
