"""Reads the arguments of a task from a command line: name=value and --args. Knows no function and no Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doshit.cli.parser import UsageError
from doshit.cli.text import one_line
from doshit.errors import BadValue
from doshit.values.codec import decode_value


def read_arguments(assignments: Sequence[str], whole: str | None) -> dict[str, Any]:
    """One object of all of them. Raises UsageError, naming what cannot be read or is given twice."""
    arguments = {} if whole is None else _read_object(whole)
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not name or not sign:
            raise UsageError(f"argument {one_line(assignment)!r}: write name=value")
        if name in arguments:
            raise UsageError(f"argument {one_line(name)!r} is given twice; leave one of them out")
        arguments[name] = _read_value(value)
    return arguments


def _read_value(word: str) -> Any:
    try:
        return decode_value(word.encode("utf-8", "surrogateescape"))
    except BadValue:
        return word


def _read_object(whole: str) -> dict[str, Any]:
    try:
        value = decode_value(whole.encode("utf-8", "surrogateescape"))
    except BadValue:
        raise UsageError(f'argument --args: {whole[:80]!r} is no JSON; write it as \'{{"a": 1, "b": 2}}\'') from None
    if not isinstance(value, dict):
        raise UsageError('argument --args: expected a JSON object, one member for each argument: {"a": 1, "b": 2}')
    return value
