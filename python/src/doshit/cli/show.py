"""The command `doshit show`: one task as it stands in Redis. Changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from doshit.cli.connection import app_of
from doshit.cli.look import raw, redis_now, since
from doshit.cli.text import as_json, duration, many_lines, one_line, shortened
from doshit.commands.calls import text
from doshit.errors import BadValue, TaskVanished
from doshit.transport import SyncFace
from doshit.values.codec import decode_value
from doshit.values.names import check_id

LONGEST = 2000
"""Characters of args or a result that a person is shown."""

_AS_IT_IS = ("queue", "worker", "attempts", "lost", "username", "expires")
_STEPS = (("submitted", "pending-created"), ("started", "executing-created"), ("finished", "finished-created"))

Fields = Mapping[str, str]


def run(args: argparse.Namespace) -> int:
    app = app_of(args)
    face, key = SyncFace(app.url), raw(app.keys.task(check_id(args.id)))
    found, left = face.pipeline([("HGETALL", key), ("PTTL", key)])
    if not found:
        raise TaskVanished(args.id)
    task = {text(name): text(value) for name, value in found.items()}
    if args.json:
        print(as_json(_machine_form(args.id, task), indent=2))
    else:
        print("\n".join(_lines(args.id, task, redis_now(face), None if left < 0 else left / 1000)))
    return 0


def _machine_form(id: str, task: Fields) -> dict[str, Any]:
    """The hash with its own field names; args and result-value as the JSON they are, as text where they are none."""
    return {"id": id, **{name: _value(name, value) for name, value in task.items()}}


def _value(name: str, value: str) -> Any:
    if name not in ("args", "result-value"):
        return value
    try:
        return decode_value(raw(value))
    except BadValue:
        return value


def _lines(id: str, task: Fields, now: float, ttl: float | None) -> Iterator[str]:
    facts = [("id", id), ("state", _state(task)), ("function", task.get("function", "-"))]
    facts.append(("args", _json(task, "args")))
    facts += [(name, task[name]) for name in _AS_IT_IS if name in task]
    facts += _times(task, now)
    if ttl is not None:
        facts.append(("kept for", duration(ttl)))
    if "result-value" in task:
        facts.append(("result", _json(task, "result-value")))
    if "error-reason" in task:
        facts.append(("error", f"{task.get('error-code', '?')}: {task['error-reason']}"))
    yield from (f"{name:<10}{one_line(value)}" for name, value in facts)
    if task.get("error-exception"):
        yield from ("", many_lines(task["error-exception"].rstrip()))


def _state(task: Fields) -> str:
    state = task.get("state", "pending")
    return f"{state}, {task['result']}" if "result" in task else state


def _json(task: Fields, name: str) -> str:
    raw = task.get(name, "{}")
    value = _value(name, raw)
    return shortened(raw if value == raw else as_json(value), LONGEST)


def _times(task: Fields, now: float) -> Iterator[tuple[str, str]]:
    """When each step was, how long ago the first, and how long after it each later one."""
    before = None
    for name, field in _STEPS:
        moment = task.get(field)
        if moment is None:
            continue
        ago = since(moment, now)
        note = f"{duration(ago)} ago" if before is None or ago is None else f"{duration(before - ago)} later"
        yield name, f"{moment}  {note}"
        before = ago
