"""The command `doshit show`: one task as it stands in Redis, now or until its end. Changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from doshit.cli import follow
from doshit.cli.connection import app_of
from doshit.cli.look import raw, redis_now, since
from doshit.cli.text import as_json, duration, many_lines, one_line, shortened
from doshit.client.info import Failure, TaskInfo
from doshit.commands.calls import text
from doshit.errors import BadValue, TaskVanished
from doshit.transport import SyncFace
from doshit.values.codec import decode_value
from doshit.values.keys import Keys
from doshit.values.names import check_id
from doshit.values.states import Result

LONGEST = 2000
"""Characters of args or a result that a person is shown."""

_AS_IT_IS = ("queue", "worker", "attempts", "retried", "lost", "username", "expires", "cancelled-created")
_AS_JSON = ("args", "result-value", "progress", "failures")
_STEPS = (("submitted", "pending-created"), ("started", "executing-created"), ("finished", "finished-created"))

Fields = Mapping[str, str]


def run(args: argparse.Namespace) -> int:
    app = app_of(args)
    face, id = SyncFace(app.url), check_id(args.id)
    if args.follow:
        for event in follow.events(face, app.keys, id):
            for line in [follow.machine_line(event)] if args.json else follow.lines(event):
                print(line, flush=True)
    task = _show(face, app.keys, id, args)
    return 1 if args.follow and task.get("result") != Result.SUCCESSFUL else 0


def _show(face: SyncFace, keys: Keys, id: str, args: argparse.Namespace) -> Fields:
    key = raw(keys.task(id))
    found, left = face.pipeline([("HGETALL", key), ("PTTL", key)])
    if not found:
        raise TaskVanished(id)
    task = {text(name): text(value) for name, value in found.items()}
    if args.json:
        print(as_json(machine_form(id, task), indent=None if args.follow else 2))
    else:
        info, ttl = TaskInfo.read(id, found), None if left < 0 else left / 1000
        print("\n".join(_lines(id, task, info, redis_now(face), ttl)))
    return task


def machine_form(id: str, task: Fields) -> dict[str, Any]:
    """The hash with its own field names; what is JSON there as the JSON it is, as text where it is none."""
    return {"id": id, **{name: _value(name, value) for name, value in task.items()}}


def _value(name: str, value: str) -> Any:
    if name not in _AS_JSON:
        return value
    try:
        return decode_value(raw(value))
    except BadValue:
        return value


def _lines(id: str, task: Fields, info: TaskInfo, now: float, ttl: float | None) -> Iterator[str]:
    facts = [("id", id), ("state", _state(task)), ("function", task.get("function", "-"))]
    facts.append(("args", _json(task, "args")))
    facts += [(_LABELS.get(name, name), task[name]) for name in _AS_IT_IS if name in task]
    facts += _times(task, now)
    facts += _use(task, info)
    if ttl is not None:
        facts.append(("kept for", duration(ttl)))
    if "result-value" in task:
        facts.append(("result", _json(task, "result-value")))
    if "error-reason" in task:
        facts.append(("error", f"{task.get('error-code', '?')}: {task['error-reason']}"))
    facts += [(f"run {failure.attempt}", _failure(failure)) for failure in info.failures]
    yield from (f"{name:<10}{one_line(value)}" for name, value in facts)
    if task.get("error-exception"):
        yield from ("", many_lines(task["error-exception"].rstrip()))


_LABELS = {"cancelled-created": "cancel"}


def _use(task: Fields, info: TaskInfo) -> Iterator[tuple[str, str]]:
    """How far it is and what it took."""
    if info.progress is not None:
        yield "progress", follow.progress_text(info.progress)
    if info.cpu_time is not None:
        yield "cpu time", duration(info.cpu_time)
    if info.memory_peak is not None:
        yield "memory", f"{info.memory_peak / 1e6:.1f} MB at most"
    if "output" in task:
        yield "output", f"{task['output']} bytes; --follow prints it"


def _failure(failure: Failure) -> str:
    return f"{failure.code or '?'}: {shortened(failure.reason, LONGEST)}"


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
