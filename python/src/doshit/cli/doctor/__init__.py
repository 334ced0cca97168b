"""The command `doshit doctor`: looks at the server, the queues and the tasks, and says what is wrong and what helps.

`read` reads, `checks` judges what was read, `fix` does what is safe, `show` says it. Without --fix nothing is written.
"""

from __future__ import annotations

import argparse
import time

from doshit.cli.connection import app_of
from doshit.cli.doctor.checks import findings, is_clean
from doshit.cli.doctor.fix import Fixer
from doshit.cli.doctor.read import Look
from doshit.cli.doctor.show import Report, lines, machine_form
from doshit.cli.text import as_json
from doshit.client import Doshit
from doshit.transport import SyncFace


def run(args: argparse.Namespace) -> int:
    app = app_of(args)
    report = _examined(app, args.fix, args.deep)
    print(as_json(machine_form(report), indent=2) if args.json else "\n".join(lines(report)))
    return 0 if is_clean(list(report.findings)) else 1


def _examined(app: Doshit, mend: bool, deep: bool) -> Report:
    """The report; with mend, of what is left after what could be fixed."""
    face, began = SyncFace(app.url), time.monotonic()
    facts = Look(face, app.keys, app.queue, deep).facts()
    found = findings(facts)
    if not mend or not any(it.fix for it in found):
        return Report(facts, found)
    fixer = Fixer(face, app.keys, facts, began)
    done = [(it, fixer.fix(it)) for it in found if it.fix]
    after = Look(face, app.keys, app.queue, deep).facts()
    return Report(after, findings(after), done)
