"""The command `doshit functions`: what live workers tell of the functions that they serve. Changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from doshit.cli.connection import app_of
from doshit.cli.look import raw
from doshit.cli.served import Form, differing, forms
from doshit.cli.text import as_json, clipped, one_line, table
from doshit.transport import SyncFace
from doshit.values.schema import others_of

DOC = 60
"""Characters of a doc that stand in a line of the table; --json has all of it."""
PARAMETERS = 80


def run(args: argparse.Namespace) -> int:
    app = app_of(args)
    found = forms(SyncFace(app.url), app.keys)
    if args.json:
        print(as_json([_machine_form(form, differing(found)) for form in found], indent=2))
    elif not found:
        print("no live worker serves a function; start one: doshit worker tasks.py")
    else:
        header = ("function", "queue", "language", "parameters", "doc", "workers")
        print("\n".join([*table(header, [_row(form) for form in found]), *differing_lines(differing(found))]))
    return 0


def differing_lines(counts: dict[str, int]) -> Iterator[str]:
    """A warning for each function on whose signature live workers disagree."""
    for name, count in counts.items():
        yield (
            f"warning: live workers disagree on {clipped(one_line(name), PARAMETERS)}: it has {count} signatures, so "
            "whether a call is good depends on who takes it; let all run one version of the code"
        )


def _row(form: Form) -> tuple[str, ...]:
    entry = form.entry
    doc = entry.doc.strip().partition("\n")[0]
    first, *others = form.workers
    workers = f"{first} +{len(others)}" if others else first
    cells = form.name, entry.queue or "default", entry.language, ", ".join(_parameters(form)), doc, workers
    return tuple(clipped(one_line(cell) or "-", DOC if cell == doc else PARAMETERS) for cell in cells)


def _parameters(form: Form) -> Iterator[str]:
    known, required = form.entry.parameters.get("properties"), form.entry.parameters.get("required")
    for name, schema in known.items() if isinstance(known, dict) else ():
        kind = schema.get("type") if isinstance(schema, dict) else None
        word = f": {kind}" if isinstance(kind, str) else ""
        if name in form.entry.defaults:
            yield f"{name}{word} = {as_json(form.entry.defaults[name])}"
        else:
            yield f"{name}{word}" if isinstance(required, list) and name in required else f"{name}{word}?"
    if others_of(form.entry.parameters) is not False:
        yield "..."


def _machine_form(form: Form, counts: dict[str, int]) -> dict[str, Any]:
    """A name that is no text stands there with its odd bytes escaped."""
    name = raw(form.name).decode("utf-8", "backslashreplace")
    told = form.entry._asdict()
    return {"function": name, **told, "workers": list(form.workers), "disagrees": form.name in counts}
