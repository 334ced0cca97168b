"""What an exception means: a code, one line for a person, a traceback, and whether another run may go better."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from doshit.errors import BadArguments, Cancel, ResultNotJson, Retry, TaskCancelled, TimeLimitExceeded
from doshit.values.states import ErrorCode
from doshit.worker.wire import CANCELLED, MEMORY, TIME, Terms

if TYPE_CHECKING:
    from doshit.client.policy import Policy

Again = Literal[True] | float | None
AS_POLICY_SAYS = -1.0
Failure = tuple[str, str, str, Again]

_SAID_BY_REASON = (ErrorCode.BAD_ARGS, ErrorCode.RESULT_NOT_JSON, ErrorCode.UNKNOWN_FUNCTION)
_STOPPED = {TIME: ErrorCode.TIME_LIMIT, MEMORY: ErrorCode.MEMORY_LIMIT, CANCELLED: ErrorCode.CANCELLED}


def explain(error: BaseException, function: bytes, stopped: int, policy: Policy | None, terms: Terms) -> Failure:
    """(error-code, reason in one line, traceback as text, again), within the caps of these terms.

    stopped: why the run was told to end, 0 if it was not. again: None: no other run; True: if the
    policy has one left; seconds: the run asked for it, AS_POLICY_SAYS when it left the wait to the policy.
    """
    code, reason, again = _meaning(error, function, stopped, policy)
    is_said = code in _SAID_BY_REASON or isinstance(error, Cancel)
    return code, one_line(reason, terms.reason_cap), "" if is_said else trace(error, terms.traceback_cap), again


def _meaning(
    error: BaseException, function: bytes, stopped: int, policy: Policy | None
) -> tuple[ErrorCode, str, Again]:
    if isinstance(error, BadArguments) and not _raised_by_user(error):
        return ErrorCode.BAD_ARGS, error.reason, None
    if isinstance(error, ResultNotJson):
        return ErrorCode.RESULT_NOT_JSON, str(error), None
    if isinstance(error, KeyError) and not _raised_by_user(error):
        return ErrorCode.UNKNOWN_FUNCTION, f"no function {function!r} in this worker", None
    if isinstance(error, Cancel):
        return ErrorCode.CANCELLED, _safely(lambda: str(error)), None
    if isinstance(error, Retry):
        asked = AS_POLICY_SAYS if error.after is None else float(error.after)
        return ErrorCode.EXCEPTION, _safely(lambda: str(error)), asked
    again = True if policy is not None and policy.wants_retry(error) and stopped != CANCELLED else None
    return _code(error, stopped), reason_of(error, stopped), again


def _code(error: BaseException, stopped: int) -> ErrorCode:
    """A run that was told to end ends by that, whatever it raised on its way out."""
    if stopped:
        return _STOPPED[stopped]
    return ErrorCode.EXITED if isinstance(error, SystemExit) else ErrorCode.EXCEPTION


def reason_of(error: BaseException, stopped: int) -> str:
    if isinstance(error, SystemExit) and not stopped:
        return f"called sys.exit({_safely(lambda: repr(error.code))})"
    message = _safely(lambda: str(error))
    if stopped and isinstance(error, (TimeLimitExceeded, TaskCancelled)):
        return message
    return f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__


def _user_frames(error: BaseException) -> TracebackType | None:
    """The traceback from the user's own code on: the frames of this package above it are noise to its reader."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").partition(".")[0] in ("doshit", "asyncio"):
        tb = tb.tb_next
    return tb


def _frames_to_show(tb: TracebackType | None) -> int | None:
    """How many frames are the user's: where a run was told to end, the last ones are this package's signal handler."""
    shown = 0
    while tb is not None and not tb.tb_frame.f_globals.get("__name__", "").startswith("doshit.worker."):
        shown, tb = shown + 1, tb.tb_next
    return None if tb is None else shown


def _raised_by_user(error: BaseException) -> bool:
    return _user_frames(error) is not None


def trace(error: BaseException, cap: int) -> str:
    """The traceback as text, its end kept when it has more characters than the cap. Never the values of locals."""
    tb = _user_frames(error)
    text = _safely(lambda: "".join(traceback.format_exception(type(error), error, tb, limit=_frames_to_show(tb))))
    return text if len(text) <= cap else "[...]\n" + text[len(text) - cap :]


def _safely(describe: Callable[[], str]) -> str:
    """User code may raise from __str__ too."""
    try:
        return describe().encode("utf-8", "backslashreplace").decode()
    except BaseException as error:  # the same
        return f"({type(error).__name__} while it was described)"


def one_line(text: str, cap: int) -> str:
    """Text as one line for a person: control characters escaped, cut at so many characters."""
    clean = "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text[:cap])
    return clean if len(text) <= cap and len(clean) <= cap else clean[: max(0, cap - 3)] + "..."
