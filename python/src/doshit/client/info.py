"""A task as its hash and its output tell it. Reads values, asks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doshit.errors import BadValue
from doshit.values.codec import decode_value
from doshit.values.times import parse_timestamp


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run said it is. fraction: 0 to 1, None: unknown; text: one line; at: when it said so, by its clock."""

    fraction: float | None
    text: str
    at: datetime | None

    @classmethod
    def read(cls, raw: bytes | None) -> Progress | None:
        """The progress in the field of that name; None where there is none that can be read."""
        said = _decoded(raw)
        if not isinstance(said, dict):
            return None
        fraction: Any = said.get("fraction")
        is_known = isinstance(fraction, (int, float)) and not isinstance(fraction, bool)
        return cls(fraction if is_known else None, str(said.get("text", "")), _moment(said, "at"))


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed and was followed by another. code: its error code; reason: one line; at: when it ended."""

    attempt: int
    code: str
    reason: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A piece of what a task printed. stream: "stdout", "stderr" or "log"; at: when, by the clock of its worker."""

    stream: str
    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the hash of a task said at one moment. A field that is not there, or that a stranger has spoilt, is None.

    state: `pending`, `executing` or `finished`; created, started, finished: moments in UTC;
    result: `successful` or `failed`; attempts, lost: runs begun, and runs whose worker vanished; retried: runs begun
    again because one failed; failures: the last 10 of these, newest last; progress: how far it said it is;
    cpu_time, memory_peak: seconds and bytes that its last run used, where that was measured;
    error_code, error_reason, error_traceback: why it failed; fields: every field of the hash, as text.
    """

    id: str
    function: str | None
    state: str
    queue: str | None
    worker: str | None
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    attempts: int
    lost: int
    retried: int
    failures: tuple[Failure, ...]
    progress: Progress | None
    cpu_time: float | None
    memory_peak: int | None
    result: str | None
    error_code: str | None
    error_reason: str | None
    error_traceback: str | None
    fields: Mapping[str, str]

    @classmethod
    def read(cls, id: str, raw: Mapping[bytes, bytes]) -> TaskInfo:
        fields = {_text(name): _text(value) for name, value in raw.items()}
        return cls(
            id=id,
            function=fields.get("function"),
            state=fields.get("state", "pending"),
            queue=fields.get("queue"),
            worker=fields.get("worker"),
            created=_moment(fields, "pending-created"),
            started=_moment(fields, "executing-created"),
            finished=_moment(fields, "finished-created"),
            attempts=_count(fields, "attempts"),
            lost=_count(fields, "lost"),
            retried=_count(fields, "retried"),
            failures=tuple(_failures(raw.get(b"failures"))),
            progress=Progress.read(raw.get(b"progress")),
            cpu_time=_seconds(fields.get("cpu-time", "")),
            memory_peak=_count(fields, "memory-peak") or None,
            result=fields.get("result"),
            error_code=fields.get("error-code"),
            error_reason=fields.get("error-reason"),
            error_traceback=fields.get("error-exception"),
            fields=fields,
        )

    @property
    def args(self) -> Any:
        """The arguments as plain Python data. Raises BadValue when they are not JSON."""
        return decode_value(self._raw("args", "{}"))

    @property
    def result_value(self) -> Any:
        """What the task returned as plain Python data, None before its end. Raises BadValue when it is not JSON."""
        return decode_value(self._raw("result-value", "null"))

    def _raw(self, name: str, absent: str) -> bytes:
        return self.fields.get(name, absent).encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return parse_timestamp(fields[name])
    except (KeyError, ValueError, TypeError):
        return None


def _decoded(raw: bytes | None) -> Any:
    try:
        return None if raw is None else decode_value(raw)
    except BadValue:
        return None


def _failures(raw: bytes | None) -> Iterator[Failure]:
    listed = _decoded(raw)
    for said in listed if isinstance(listed, list) else ():
        if isinstance(said, dict):
            attempt = said.get("attempt")
            number = attempt if isinstance(attempt, int) and not isinstance(attempt, bool) else 0
            yield Failure(number, str(said.get("code", "")), str(said.get("reason", "")), _moment(said, "at"))


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _count(fields: Mapping[str, str], name: str) -> int:
    value = fields.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else 0


def output_lines(entries: Sequence[Any]) -> Iterator[tuple[bytes, OutputLine]]:
    """What a reply to XRANGE of an output holds, each with the id of its entry; what a stranger made is left out."""
    for id, flat in entries:
        raw = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
        fields = {_text(name): _text(value) for name, value in raw.items()}
        if "m" in fields:
            yield id, OutputLine(fields.get("s", ""), _moment(fields, "t"), fields["m"])
