"""A task as its hash tells it. Reads values, asks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from doshit.values.codec import decode_value
from doshit.values.times import parse_timestamp


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the hash of a task said at one moment. A field that is not there, or that a stranger has spoilt, is None.

    state: `pending`, `executing` or `finished`; created, started, finished: moments in UTC;
    result: `successful` or `failed`; attempts, lost: runs begun, and runs whose worker vanished;
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


def _moment(fields: Mapping[str, str], name: str) -> datetime | None:
    try:
        return parse_timestamp(fields[name])
    except (KeyError, ValueError):
        return None


def _count(fields: Mapping[str, str], name: str) -> int:
    value = fields.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else 0
