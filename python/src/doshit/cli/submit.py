"""The command `doshit submit`: makes a task and, where asked, waits for its result."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from doshit.cli.arguments import read_arguments
from doshit.cli.connection import app_of
from doshit.cli.text import as_json, many_lines, one_line
from doshit.client import Handle
from doshit.errors import BadArguments, TaskFailed
from doshit.values.states import Result, State


def run(args: argparse.Namespace) -> int:
    arguments = read_arguments(args.arguments, args.args)
    app = app_of(args)
    try:
        handle: Handle[Any] = app.enqueue(args.function, arguments, **({"id": args.id} if args.id is not None else {}))
    except BadArguments as error:
        raise _explained(error, args.arguments) from None
    if args.wait is not None:
        return _await_result(handle, None if math.isinf(args.wait) else args.wait, args.json)
    print(as_json({"id": handle.id}) if args.json else one_line(handle.id))
    return 0


def _explained(error: BadArguments, assignments: Sequence[str]) -> BadArguments:
    """A text such as 5 or true was read as JSON, which a shell does not show: then how it is written."""
    word = next((word for word in assignments if word.partition("=")[0] == error.parameter), None)
    if word is None or "expected string" not in error.reason:
        return error
    name, _, value = word.partition("=")
    how = shlex.quote(f"{name}={as_json(value)}")
    return BadArguments(f"{error.reason}; for the text write {how}", error.function, error.parameter)


def _await_result(handle: Handle[Any], seconds: float | None, machine: bool) -> int:
    try:
        value = handle.result(seconds)
    except TaskFailed as failure:
        _tell_failure(failure, machine)
        return 1
    ended = {"id": handle.id, "state": State.FINISHED, "result": Result.SUCCESSFUL, "result-value": value}
    print(as_json(ended if machine else value))
    return 0


def _tell_failure(failure: TaskFailed, machine: bool) -> None:
    print(f"doshit: {one_line(str(failure))}", file=sys.stderr)
    if machine:
        ended = {"id": failure.id, "state": State.FINISHED, "result": Result.FAILED, "error-code": failure.code}
        print(as_json({**ended, "error-reason": failure.reason, "error-exception": failure.remote_traceback}))
    elif failure.remote_traceback:
        print(many_lines(failure.remote_traceback.rstrip()), file=sys.stderr)
