"""Judges queues and tasks: what stands where it should not, or nowhere. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from doshit.cli.doctor.facts import Entry, Facts, Finding, Queue, Target, Task
from doshit.cli.doctor.kinds import finding
from doshit.cli.doctor.scan import BIG_KEY
from doshit.values.states import ARGS_CAP, RESULT_CAP, State
from doshit.values.times import parse_timestamp

FOREIGN = 3600.0
"""Seconds that recover leaves a task alone which runs without a claim."""

LONG_EXECUTING = 10_000
LONG_LIST = 1_000_000


def task_findings(facts: Facts) -> Iterator[Finding]:
    """What is wrong with tasks and their places."""
    yield from _wrong_types(facts)
    yield from _unhashed(facts)
    yield from _executing(facts)
    yield from _lost(facts)
    yield from _endless(facts)
    for queue in facts.queues:
        yield from _stuck(facts, queue)
        yield from _set_aside(facts, queue)
        yield from _long(facts, queue)
    yield from _large(facts)


def _wrong_types(facts: Facts) -> Iterator[Finding]:
    for wrong in facts.wrong:
        yield finding("wrong-type", facts, **wrong._asdict())


def _unhashed(facts: Facts) -> Iterator[Finding]:
    for queue, targets in _by_queue(facts.unhashed):
        yield finding("pending-without-hash", facts, targets, queue=queue)


def _executing(facts: Facts) -> Iterator[Finding]:
    """Ids in executing that nobody holds, by what is known of them."""
    kinds: dict[str, list[Target]] = {}
    for target, entry in facts.executing.items():
        kinds.setdefault(_kind(facts, entry), []).append(target)
    kinds.pop("", None)
    for code, found in kinds.items():
        for queue, targets in _by_queue(found):
            yield finding(code, facts, targets, queue=queue)


def _kind(facts: Facts, entry: Entry) -> str:
    """The kind of finding, "" for none: a foreign worker may still be at it."""
    if not entry.hashed:
        return "executing-without-hash"
    if entry.state == State.FINISHED:
        return "executing-finished"
    if entry.state == State.EXECUTING and not entry.claim:
        age = _age(facts, entry.started)
        return "executing-foreign" if age is not None and age > FOREIGN else ""
    return "executing-unheld"


def _lost(facts: Facts) -> Iterator[Finding]:
    """Hashes that are not over and stand nowhere: an LPUSH that never came, or keys deleted by hand."""
    whole = [Target(id, task.queue) for id, task in facts.lost.items() if task.function]
    half = [Target(id, task.queue) for id, task in facts.lost.items() if not task.function]
    if whole:
        yield finding("lost-task", facts, whole)
    if half:
        yield finding("half-task", facts, half)


def _endless(facts: Facts) -> Iterator[Finding]:
    if facts.endless:
        yield finding("kept-for-ever", facts, [Target(id, task.queue) for id, task in facts.endless.items()])


def _stuck(facts: Facts, queue: Queue) -> Iterator[Finding]:
    if queue.overdue_count:
        targets = [Target(id, queue.name) for id in queue.overdue]
        yield finding("overdue", facts, targets, count=queue.overdue_count, queue=queue.name)
    if not queue.listed and (queue.length("scheduled") or queue.length("executing")):
        yield finding("unlisted-queue", facts, [Target(queue.name, queue.name)], queue=queue.name)


def _set_aside(facts: Facts, queue: Queue) -> Iterator[Finding]:
    count = queue.length("quarantine")
    if count:
        targets = [Target(id, queue.name) for id in queue.quarantine]
        yield finding("quarantine", facts, targets, count=count, queue=queue.name)
    count = queue.length("failed")
    if count:
        codes = ", ".join(f"{code} {number}" for code, number in queue.failures.items())
        targets = [Target(id, queue.name) for id in queue.failed]
        yield finding("failed", facts, targets, count=count, queue=queue.name, codes=f" ({codes})" if codes else "")


def _long(facts: Facts, queue: Queue) -> Iterator[Finding]:
    for kind in ("pending", "scheduled"):
        if queue.length(kind) > LONG_LIST:
            yield finding("long-queue", facts, queue=queue.name, kind=kind, length=queue.length(kind))
    if queue.length("executing") > LONG_EXECUTING:
        yield finding("long-executing", facts, queue=queue.name, length=queue.length("executing"))


def _large(facts: Facts) -> Iterator[Finding]:
    kinds: tuple[tuple[str, int, Callable[[Task], bool]], ...] = (
        ("large-args", ARGS_CAP, lambda task: task.args_size > ARGS_CAP),
        ("large-result", RESULT_CAP, lambda task: task.result_size > RESULT_CAP),
        ("large-task", BIG_KEY, lambda task: task.args_size <= ARGS_CAP and task.result_size <= RESULT_CAP),
    )
    for code, cap, fits in kinds:
        targets = [Target(id, task.queue) for id, task in facts.large.items() if fits(task)]
        if targets:
            yield finding(code, facts, targets, cap=cap)


def _by_queue(targets: Iterable[Target]) -> list[tuple[str, tuple[Target, ...]]]:
    found: dict[str, list[Target]] = {}
    for target in targets:
        found.setdefault(target.queue, []).append(target)
    return [(queue, tuple(its)) for queue, its in sorted(found.items())]


def _age(facts: Facts, timestamp: str) -> float | None:
    """Seconds, None where the time is none."""
    try:
        moment: datetime = parse_timestamp(timestamp)
    except ValueError:
        return None
    return facts.now - moment.timestamp()
