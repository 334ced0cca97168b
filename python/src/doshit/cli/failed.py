"""The command `doshit failed`: lists failed tasks, runs them again, forgets them."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

from doshit.cli.cancel import tell_words
from doshit.cli.connection import app_of
from doshit.cli.look import raw, redis_now
from doshit.cli.parser import UsageError
from doshit.cli.show import machine_form
from doshit.cli.text import as_json, clipped, duration, one_line, table
from doshit.client import Doshit
from doshit.client.info import TaskInfo
from doshit.commands import drop, requeue
from doshit.transport import SyncFace
from doshit.values.names import check_id

REASON = 80
"""Characters of a reason that stand in a line of the list."""
NEWEST = 50

_MEANING = {
    "requeued": "requeued: it runs again",
    "dropped": "dropped",
    "unknown": "unknown: there is no such task, or no longer",
    "not-failed": "not-failed: it has not failed, so it was left as it is",
    "wrong-type": "wrong-type: its key is no task, or its queue no list; another program uses it",
}


def run(args: argparse.Namespace) -> int:
    _check(args)
    app = app_of(args)
    if args.action == "list":
        return _list(app, args)
    return _each(app, args) if args.ids else _all(app, args)


def _check(args: argparse.Namespace) -> None:
    filters = {"-q/--queue": args.queue, "--function": args.function, "--code": args.code}
    if args.action == "list":
        if args.ids or args.all:
            raise UsageError("`failed list` takes no ID and no --all; one task is shown by `doshit show ID`")
        return
    if args.limit is not None:
        raise UsageError("argument --limit: it belongs to `failed list`; leave it out")
    if bool(args.ids) == args.all:
        raise UsageError(f"`failed {args.action}` takes either IDs or --all")
    given = [option for option, value in filters.items() if value is not None]
    if args.ids and given:
        raise UsageError(f"argument {given[0]}: it narrows --all; leave it out, or name no ID")


def _list(app: Doshit, args: argparse.Namespace) -> int:
    limit = args.limit or NEWEST
    found = list(islice(app.failed(args.queue, args.function, args.code, limit + 1), limit + 1))
    listed = found[:limit]
    if args.json:
        print(as_json([machine_form(task.id, task.fields) for task in listed], indent=2))
    elif not listed:
        print("no failed task" + (" like that" if args.queue or args.function or args.code else ""))
    else:
        print("\n".join(table(_HEADER, _rows(listed, redis_now(SyncFace(app.url))))))
        if len(found) > limit:
            print(f"these are the newest {limit}; --limit shows more")
    return 0


_HEADER = ("id", "queue", "function", "failed", "attempts", "code", "reason")


def _rows(tasks: list[TaskInfo], now: float) -> list[tuple[str | int, ...]]:
    return [(*(one_line(cell) for cell in _words(task, now)), task.attempts, *_why(task)) for task in tasks]


def _words(task: TaskInfo, now: float) -> tuple[str, ...]:
    ago = "-" if task.finished is None else f"{duration(now - task.finished.timestamp())} ago"
    return task.id, task.queue or "default", task.function or "-", ago


def _why(task: TaskInfo) -> tuple[str, str]:
    return one_line(task.error_code or "-"), clipped(one_line(task.error_reason or "-"), REASON)


def _each(app: Doshit, args: argparse.Namespace) -> int:
    call = requeue if args.action == "retry" else drop
    ids = [check_id(id) for id in dict.fromkeys(args.ids)]
    words = SyncFace(app.url).call(call(app.keys, [raw(id) for id in ids]))
    return tell_words(dict(zip(ids, words, strict=True)), _MEANING, args.json, {"requeued", "dropped"})


def _all(app: Doshit, args: argparse.Namespace) -> int:
    chosen: dict[str, Any] = {"queue": args.queue, "function": args.function, "code": args.code}
    if args.action == "retry":
        count, word, done = app.retry_failed(**chosen), "requeued", "will run again"
    else:
        count, word, done = app.drop_failed(**chosen), "dropped", "dropped"
    print(as_json({word: count}) if args.json else f"{count} failed {'task' if count == 1 else 'tasks'} {done}")
    return 0
