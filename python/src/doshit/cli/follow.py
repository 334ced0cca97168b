"""What `show --follow` prints while a task runs: its output and its progress as they come. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from doshit.cli.look import raw
from doshit.cli.text import as_json, many_lines, one_line
from doshit.client.info import OutputLine, Progress, output_lines
from doshit.errors import TaskVanished
from doshit.transport import SyncFace
from doshit.values.keys import Keys
from doshit.values.times import format_timestamp

LOOK = 0.2
"""Seconds between two looks."""
ENTRIES = 1000

Event = OutputLine | Progress


def events(face: SyncFace, keys: Keys, id: str) -> Iterator[Event]:
    """What a task says, from its first line on until its end. Raises TaskVanished."""
    looks = _Looks(face, keys, id)
    while True:
        yield from looks.next()
        if looks.is_over:
            return
        if looks.is_quiet:
            time.sleep(LOOK)


class _Looks:
    """Where a reader of one task's output has come to."""

    def __init__(self, face: SyncFace, keys: Keys, id: str) -> None:
        self._face, self._id = face, id
        self._key, self._log = raw(keys.task(id)), raw(keys.log(id))
        self._seen = b"-"
        self._submitted: bytes | None = None
        self._progress: bytes | None = None
        self.is_over = self.is_quiet = False

    def next(self) -> Iterator[Event]:
        # The hash first: what a finished task has printed stands in its output by then.
        hash = ("HMGET", self._key, "state", "function", "args", "progress", "pending-created")
        fields, entries = self._face.pipeline([hash, ("XRANGE", self._log, self._seen, "+", "COUNT", ENTRIES)])
        state, function, args, progress, submitted = fields
        if state is None and function is None and args is None:
            raise TaskVanished(self._id)
        if submitted != self._submitted and self._submitted is not None:
            # It was submitted anew meanwhile, and its output begins anew.
            self._seen, entries = b"-", []
        self._submitted = submitted
        self.is_quiet = len(entries) < ENTRIES
        self.is_over = state == b"finished" and self.is_quiet
        if entries:
            self._seen = b"(" + entries[-1][0]
        yield from (line for _, line in output_lines(entries))
        if progress != self._progress:
            self._progress = progress
            yield from filter(None, [Progress.read(progress)])


def lines(event: Event) -> Iterator[str]:
    """An event for a person: the time of day in UTC, where it comes from, and the text."""
    when = "--:--:--.---" if event.at is None else _time_of_day(event.at)
    if isinstance(event, Progress):
        yield f"{when}  progress  {progress_text(event)}"
        return
    for line in many_lines(event.text.rstrip("\r\n")).split("\n"):
        yield f"{when}  {one_line(event.stream):<8}  {line}"


def progress_text(progress: Progress) -> str:
    """40 %  rows read."""
    share = "" if progress.fraction is None else f"{progress.fraction:.0%}"
    return "  ".join(filter(None, [share, one_line(progress.text)])) or "-"


def machine_line(event: Event) -> str:
    """An event as one line of JSON."""
    at = None if event.at is None else format_timestamp(event.at)
    said: dict[str, Any]
    if isinstance(event, Progress):
        said = {"progress": {"fraction": event.fraction, "text": event.text, "at": at}}
    else:
        said = {"stream": event.stream, "at": at, "text": event.text}
    return as_json(said)


def _time_of_day(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
