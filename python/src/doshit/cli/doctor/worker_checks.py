"""Judges the workers: who is gone, which queues and functions nobody serves. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator

from doshit.cli.doctor.facts import Facts, Finding, Queue, Severity, Target, Worker
from doshit.cli.doctor.kinds import finding
from doshit.cli.look import raw
from doshit.values.catalog import read_entry, signature_key

GONE = 15.0
"""Seconds past a lease by which live workers have taken back what was held, an amnesty included."""

IDLE_DUTIES = 30.0


def worker_findings(facts: Facts) -> Iterator[Finding]:
    """What the workers leave undone."""
    yield from _gone(facts)
    yield from _strays(facts)
    yield from _duties(facts)
    for queue in facts.queues:
        yield from _unserved(facts, queue)
    yield from _signatures(facts)


def _serving(facts: Facts, queue: str) -> list[Worker]:
    return [worker for worker in facts.live if queue in worker.queues]


def _gone(facts: Facts) -> Iterator[Finding]:
    """Workers that died, and nobody takes back what they held."""
    late = (facts.now - GONE) * 1000
    gone = [it for it in facts.workers if (it.lease == -1 or 0 <= it.lease < late) and it.held]
    # Live workers do it within seconds, or the duties are found idle.
    if gone and not facts.live:
        targets = [Target(worker.id) for worker in gone]
        yield finding("dead-worker", facts, targets, held=sum(it.held or 0 for it in gone))


def _strays(facts: Facts) -> Iterator[Finding]:
    if facts.strays:
        targets = [Target(worker) for worker in facts.strays]
        yield finding("stray-held", facts, targets, held=sum(facts.strays.values()))


def _duties(facts: Facts) -> Iterator[Finding]:
    if not facts.live:
        return
    for duty in ("recover", "promote"):
        last = facts.duties.get(duty, "")
        idle = facts.now - float(last) / 1000 if last.isdigit() else None
        if idle is not None and abs(idle) > IDLE_DUTIES:
            when = f"{idle:.0f} s ago" if idle > 0 else f"{-idle:.0f} s in the future"
            yield finding("idle-duties", facts, duty=duty, when=when, alive=len(facts.live))


def _unserved(facts: Facts, queue: Queue) -> Iterator[Finding]:
    # An id that was cancelled while it waited stays in the list until a worker meets it.
    waiting = queue.length("pending") + queue.length("arrived") - queue.ended + queue.overdue_count
    serving = _serving(facts, queue.name)
    if waiting and not serving:
        yield _no_worker(facts, queue, waiting)
    if serving:
        served = {name for worker in serving for name in facts.catalogs.get(worker.catalog, {})}
        # A worker tells its functions in its catalog; where none can be read, nothing can be said.
        if served:
            yield from _unknown_functions(facts, queue, served)


def _no_worker(facts: Facts, queue: Queue, waiting: int) -> Finding:
    note, severity = "", Severity.ERROR
    if facts.strangers:
        note = f"; {len(facts.strangers)} workers that know the contract only may do so"
        severity = Severity.ADVICE
    return finding("no-worker", facts, severity=severity, queue=queue.name, waiting=waiting, strangers=note)


def _unknown_functions(facts: Facts, queue: Queue, served: set[str]) -> Iterator[Finding]:
    anywhere = {name for worker in facts.live for name in facts.catalogs.get(worker.catalog, {})}
    for function, ids in queue.functions.items():
        if function not in served:
            targets = [Target(id, queue.name) for id in ids]
            note = ", only on other queues" if function in anywhere else ""
            yield finding("unknown-function", facts, targets, function=function, queue=queue.name, elsewhere=note)


def _signatures(facts: Facts) -> Iterator[Finding]:
    forms: dict[str, dict[str, list[str]]] = {}
    for sha, catalog in facts.catalogs.items():
        for function, published in catalog.items():
            form = signature_key(read_entry(raw(published)))
            forms.setdefault(function, {}).setdefault(form, []).append(sha)
    for function, by_form in sorted(forms.items()):
        if len(by_form) > 1:
            shas = [sha for group in by_form.values() for sha in group]
            targets = [Target(worker.id) for worker in facts.live if worker.catalog in shas]
            yield finding("signatures-differ", facts, targets, function=function, forms=len(by_form), sha=shas[0])
