"""Timestamps of the protocol: UTC, six fraction digits, Z. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def format_timestamp(moment: datetime) -> str:
    """`2015-12-05T00:19:01.834909Z`. Raises ValueError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: write datetime.now(UTC), or add tzinfo=")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def parse_timestamp(text: str) -> datetime:
    """The moment. Raises ValueError for anything but the exact form."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if format_timestamp(moment) != text:  # strptime is content with fewer digits, other scripts and a small z
        raise ValueError(f"{text!r} is no time like 2015-12-05T00:19:01.834909Z")
    return moment


def seconds_of(duration: float | timedelta) -> float:
    """A duration in seconds, from a number of seconds or a timedelta. Raises ValueError below 0 and from 1e10 on."""
    try:
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{duration!r} is no duration: give a number of seconds, or a timedelta") from None
    if not 0 <= seconds < 1e10:
        raise ValueError(f"a duration of {seconds:g} s: give seconds from 0 to below 10,000,000,000, or a timedelta")
    return seconds


def decimal_seconds(duration: float | timedelta) -> str:
    """The same as text a person can read, millisecond precision: 10, 0.25."""
    return f"{seconds_of(duration):.3f}".rstrip("0").rstrip(".")
