"""What a run can know of itself. Set by the child that runs it; reads nothing from Redis."""

from __future__ import annotations

from typing import NamedTuple


class CurrentTask(NamedTuple):
    """The run this code is part of.

    id: the task's, the same in every run of it; attempt: 1 for its first run; claim: a token that no other run has, of
    this task or another. An id with its attempt, or a claim, is what an outside system needs to see a run twice.
    """

    id: str
    function: str
    attempt: int
    claim: str


_running: tuple[bytes, bytes, bytes, bytes] | None = None


def set_running(running: tuple[bytes, bytes, bytes, bytes] | None) -> None:
    """Says what this process runs from now on: (id, function, claim, attempt) as they came from Redis."""
    global _running
    _running = running


def current_task() -> CurrentTask | None:
    """The task whose run this code is part of, None outside of a worker's run."""
    if _running is None:
        return None
    id, function, claim, attempt = (each.decode("utf-8", "surrogateescape") for each in _running)
    return CurrentTask(id, function, int(attempt), claim)
