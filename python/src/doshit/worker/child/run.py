"""Runs one task: find, decode, perform, encode. Every way it can go becomes one report; nothing escapes."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from doshit.client.current import set_running
from doshit.errors import BadArguments, ResultNotJson
from doshit.values.codec import encode_result
from doshit.values.states import REASON_CAP, RESULT_CAP, TRACEBACK_CAP, ErrorCode
from doshit.worker.wire import FAILED, RETURNED, Job

if TYPE_CHECKING:
    from doshit.client import Task

Report = tuple[int, int, int, Any]


class Runner:
    """The functions of one child. An event loop is made when the first `async def` runs, and kept."""

    def __init__(self, registry: Mapping[str, Task[..., Any]]) -> None:
        self._tasks = {name.encode(): task for name, task in registry.items()}
        self._loop: asyncio.Runner | None = None

    def run(self, job: Job) -> Report:
        """Runs a job to its report: (sequence number, RETURNED or FAILED, microseconds, payload)."""
        sequence, id, name, raw, claim, attempt = job
        set_running((id, name, claim, attempt))
        begun = time.perf_counter_ns()
        try:
            task = self._tasks[name]
            positional, keywords = task.signature.decode(raw)
            value = task.function(*positional, **keywords)
            if task.is_async:
                value = self._await(value)
            result = encode_result(value)
        except BaseException as error:  # a task may raise anything; nothing escapes
            return sequence, FAILED, _since(begun), explain(error, name)
        if len(result) > RESULT_CAP:
            reason = f"result: {len(result)} bytes, at most {RESULT_CAP}; store it elsewhere and return where it is"
            return (
                sequence,
                FAILED,
                _since(begun),
                (ErrorCode.RESULT_TOO_LARGE, reason, ""),
            )
        return sequence, RETURNED, _since(begun), result

    def _await(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = asyncio.Runner()
        return self._loop.run(coroutine)


def _since(begun: int) -> int:
    return (time.perf_counter_ns() - begun) // 1000


def explain(error: BaseException, function: bytes) -> tuple[str, str, str]:
    """What an exception means: (error-code, reason in one line, traceback as text)."""
    if isinstance(error, BadArguments) and not _raised_by_user(error):
        return ErrorCode.BAD_ARGS, one_line(error.reason), ""
    if isinstance(error, ResultNotJson):
        return ErrorCode.RESULT_NOT_JSON, one_line(str(error)), ""
    if isinstance(error, KeyError) and not _raised_by_user(error):
        return (
            ErrorCode.UNKNOWN_FUNCTION,
            one_line(f"no function {function!r} in this worker"),
            "",
        )
    if isinstance(error, SystemExit):
        return (
            ErrorCode.EXITED,
            one_line(f"called sys.exit({error.code!r})"),
            trace(error),
        )
    message = _safely(lambda: str(error))
    reason = f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__
    return ErrorCode.EXCEPTION, one_line(reason), trace(error)


def _user_frames(error: BaseException) -> TracebackType | None:
    """The traceback from the user's own code on: the frames of this package above it are noise to its reader."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").partition(".")[0] in ("doshit", "asyncio"):
        tb = tb.tb_next
    return tb


def _raised_by_user(error: BaseException) -> bool:
    return _user_frames(error) is not None


def trace(error: BaseException) -> str:
    """The traceback as text, its end kept when it is over the cap. Never the values of locals."""
    text = _safely(lambda: "".join(traceback.format_exception(type(error), error, _user_frames(error))))
    return text if len(text) <= TRACEBACK_CAP else "[...]\n" + text[-TRACEBACK_CAP:]


def _safely(describe: Callable[[], str]) -> str:
    """User code may raise from __str__ too."""
    try:
        return describe().encode("utf-8", "backslashreplace").decode()
    except BaseException as error:  # the same
        return f"({type(error).__name__} while it was described)"


def one_line(text: str) -> str:
    """Text as one line for a person: control characters escaped, cut at the cap."""
    clean = "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text[:REASON_CAP])
    return clean if len(text) <= REASON_CAP and len(clean) <= REASON_CAP else clean[: REASON_CAP - 3] + "..."
