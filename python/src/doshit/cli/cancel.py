"""The command `doshit cancel`: cancels tasks, a queue or a function. Ends no run itself: workers do."""

from __future__ import annotations

import argparse
from typing import Any

from doshit.cli.connection import app_of
from doshit.cli.parser import UsageError
from doshit.cli.text import as_json, one_line
from doshit.client import Doshit
from doshit.values.times import format_timestamp

_MEANING = {
    "cancelled": "cancelled: it has not run and will not",
    "asked": "asked: it runs, and its worker ends the run",
    "finished": "finished: it was over already",
    "unknown": "unknown: there is no such task, or no longer",
    "wrong-type": "wrong-type: its key is no task; another program uses it",
}


def run(args: argparse.Namespace) -> int:
    _check(args)
    app = app_of(args)
    if args.ids:
        return _cancel(app, args.ids, args.json)
    kind, name = ("queue", args.queue) if args.queue is not None else ("function", args.function)
    moment = app.cancel_queue(name) if kind == "queue" else app.cancel_function(name)
    if args.json:
        print(as_json({kind: name, "cut-off": format_timestamp(moment)}))
    else:
        until = f"until {format_timestamp(moment)}"
        print(one_line(f"{kind} {name}: what was submitted {until} is cancelled, but for what a worker has taken"))
    return 0


def _check(args: argparse.Namespace) -> None:
    ways = [bool(args.ids), args.queue is not None, args.function is not None]
    if sum(ways) != 1:
        raise UsageError(
            "name tasks by ID, or a queue with -q/--queue, or a function with --function: one of the three"
        )


def _cancel(app: Doshit, ids: list[str], machine: bool) -> int:
    words = {id: app.handle(id).cancel() for id in ids}
    return tell_words(words, _MEANING, machine, {"cancelled", "asked", "finished"})


def tell_words(words: dict[str, str], meaning: dict[str, str], machine: bool, good: set[str]) -> int:
    """Prints what became of each id; exit code 0 if all of it is good."""
    if machine:
        listed: list[dict[str, Any]] = [{"id": id, "outcome": word} for id, word in words.items()]
        print(as_json(listed, indent=2))
    else:
        for id, word in words.items():
            print(one_line(f"{id}  {meaning[word]}"))
    return 0 if set(words.values()) <= good else 1
