"""The command `doshit status`: the queues and the workers, for a person, a program or a probe. Changes nothing."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from doshit.cli.connection import app_of
from doshit.cli.functions import differing_lines
from doshit.cli.look import Queue, Run, Worker, live_workers, queue, queue_names, redis_now, with_runs
from doshit.cli.parser import UsageError
from doshit.cli.served import differing, forms
from doshit.cli.text import as_json, duration, one_line, table
from doshit.client import Doshit
from doshit.errors import ServerError, ServerUnavailable
from doshit.transport import SyncFace
from doshit.transport.connect import redact

CHECK_SECONDS = 0.75
"""What a check may take once Python runs, so that the whole ends within a second."""


def run(args: argparse.Namespace) -> int:
    if not args.check and (args.any or args.queues):
        option = "--any" if args.any else "-q/--queue"
        raise UsageError(f"argument {option}: it belongs to --check; add --check, or leave it out")
    if args.check and args.json:
        raise UsageError("argument --json: a check answers with its exit code; leave out --check or --json")
    app = app_of(args)
    if args.check:
        return _check(app, None if args.any else socket.gethostname(), args.queues or [])
    return _show(app, args.json)


def _show(app: Doshit, machine: bool) -> int:
    face, keys = SyncFace(app.url), app.keys
    now = redis_now(face)
    workers = with_runs(face, keys, live_workers(face, keys, now), now)
    served = {name for worker in workers for name in worker.queues}
    queues = [queue(face, keys, name, now) for name in queue_names(face, keys, {app.queue, *served})]
    differ = _differing(app, face)
    if machine:
        print(as_json({**_machine_form(app.keys.prefix, queues, workers), "signatures_differ": differ}, indent=2))
    else:
        print("\n".join([*_queue_lines(queues), "", *_worker_lines(workers), *differing_lines(differ)]))
    return 0


def _differing(app: Doshit, face: SyncFace) -> dict[str, int]:
    try:
        return differing(forms(face, app.keys))
    except ServerUnavailable:
        raise
    except ServerError:
        return {}  # a catalog that cannot be read is no reason to show nothing


def _queue_lines(queues: list[Queue]) -> list[str]:
    header = ("queue", "pending", "executing", "scheduled", "failed", "oldest pending")
    good = [it for it in queues if it.problem is None]
    rows = [(it.name, it.pending, it.executing, it.scheduled, it.failed, duration(it.oldest)) for it in good]
    lines = table(header, rows) if rows else []
    lines += [f"{it.name}: {one_line(it.problem)}" for it in queues if it.problem is not None]
    lines += [f"{it.name}: {it.quarantine} ids that can be no task are in quarantine" for it in good if it.quarantine]
    return lines


def _worker_lines(workers: list[Worker]) -> list[str]:
    if not workers:
        return ["no worker is alive; start one: doshit worker tasks.py"]
    header = ("worker", "host", "pid", "language", "up", "serves", "concurrency", "runs")
    return table(header, [tuple(one_line(cell) or "-" for cell in _worker_row(worker)) for worker in workers])


def _worker_row(it: Worker) -> tuple[str, ...]:
    return (it.id, it.host, it.pid, it.language, duration(it.uptime), ", ".join(it.queues), it.concurrency, _runs(it))


def _runs(worker: Worker) -> str:
    """What it runs: `nap 12 s, add x19 0.2 s`, the longest first; with the age of the oldest of each function."""
    groups: dict[str, list[Run]] = {}
    for run in worker.runs:
        groups.setdefault(run.function or "?", []).append(run)
    parts = [f"{name}{_times(len(runs))} {duration(runs[0].seconds)}" for name, runs in groups.items()]
    if worker.held > len(worker.runs):
        parts.append(f"and {worker.held - len(worker.runs)} more")
    return ", ".join(parts)


def _times(count: int) -> str:
    return f" x{count}" if count > 1 else ""


def _machine_form(prefix: str, queues: list[Queue], workers: list[Worker]) -> dict[str, Any]:
    """Ages are in seconds, null where unknown."""
    return {
        "prefix": prefix,
        "queues": [vars(it) for it in queues],
        "workers": [_machine_worker(worker) for worker in workers],
    }


def _machine_worker(it: Worker) -> dict[str, Any]:
    numbers = {"pid": _number(it.pid), "concurrency": _number(it.concurrency)}
    return {**vars(it), **numbers, "runs": [vars(run) for run in it.runs]}


def _number(text: str) -> int | None:
    """What a worker wrote as a number; None where it wrote something else, as a stranger may."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 16 else None


def _check(app: Doshit, host: str | None, queues: list[str]) -> int:
    """Exit code 0 if a live worker serves all these queues, on this host or, for None, on any."""
    with _deadline(CHECK_SECONDS, app.url):
        face = SyncFace(app.url, timeout=CHECK_SECONDS)
        workers = live_workers(face, app.keys, redis_now(face))
    fit = [it for it in workers if (host is None or it.host == host) and set(queues) <= set(it.queues)]
    wanted = "serving " + ", ".join(queues) if queues else "alive"
    where = "anywhere" if host is None else f"on {host}"
    if fit:
        print(one_line(f"{len(fit)} of {len(workers)} workers {wanted} {where}: {fit[0].id}"))
        return 0
    others = f"{len(workers)} alive in all"
    print(one_line(f"no worker is {wanted} {where} ({others}); its log says why, or start one: doshit worker tasks.py"))
    return 1


@contextmanager
def _deadline(seconds: float, url: str) -> Iterator[None]:
    """Ends whatever the block waits for, connecting and retries included, with ServerUnavailable."""

    def give_up(*_: object) -> None:
        raise ServerUnavailable(
            f"no answer from Redis at {redact(url)} within {seconds:g} s, so no worker was seen; look at the server"
        )

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
