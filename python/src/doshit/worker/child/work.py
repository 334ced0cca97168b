"""What all runs have in common, one at a time or many at once: function, arguments, and the words for the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from doshit.errors import Cancel, Retry, TaskCancelled, TimeLimitExceeded
from doshit.values.codec import encode_result
from doshit.values.states import ErrorCode
from doshit.worker.child.explain import explain
from doshit.worker.wire import FAILED, MEMORY, RETURNED, TIME, Terms

if TYPE_CHECKING:
    from doshit.client import Task

Report = tuple[int, int, int, Any]
Outcome = tuple[int, Any]


def stop_error(why: int) -> BaseException:
    """What is raised inside a run that shall end."""
    if why == TIME:
        return TimeLimitExceeded("the time limit of this run is over")
    if why == MEMORY:
        return MemoryError("the memory limit of this run is passed")
    return TaskCancelled("cancelled while it ran")


class Work:
    """The functions of one child: `tasks`, by name."""

    def __init__(self, registry: Mapping[str, Task[..., Any]], terms: Terms) -> None:
        self.tasks = {name.encode(): task for name, task in registry.items()}
        self._terms = terms

    def close(self, value: Any, name: bytes) -> Outcome:
        """(RETURNED or FAILED, payload) of what a function returned. Raises ResultNotJson."""
        if isinstance(value, (Retry, Cancel)):
            return self.failed(value, name, 0)
        encoded = encode_result(value)
        cap = self._terms.result_cap
        if len(encoded) <= cap:
            return RETURNED, encoded
        reason = f"result: {len(encoded)} bytes, at most {cap}; store it elsewhere and return where it is"
        return FAILED, (ErrorCode.RESULT_TOO_LARGE, reason, "", None)

    def failed(self, error: BaseException, name: bytes, stopped: int) -> Outcome:
        """The same of what it raised. stopped: why it was told to end, 0 if it was not."""
        task = self.tasks.get(name)
        return FAILED, explain(error, name, stopped, task.policy if task is not None else None, self._terms)
