"""All findings of what was read, the worst first. Pure."""

from __future__ import annotations

from doshit.cli.doctor.facts import Facts, Finding, Severity
from doshit.cli.doctor.kinds import finding
from doshit.cli.doctor.server_checks import server_findings
from doshit.cli.doctor.task_checks import task_findings
from doshit.cli.doctor.worker_checks import worker_findings


def findings(facts: Facts) -> list[Finding]:
    """What is not as it should be; errors before warnings before advice."""
    found = [*server_findings(facts), *worker_findings(facts), *task_findings(facts), *_unread(facts)]
    return sorted(found, key=lambda it: list(Severity).index(it.severity))


def _unread(facts: Facts) -> list[Finding]:
    if not facts.unread:
        return []
    return [finding("not-permitted", facts, count=len(facts.unread), commands=", ".join(sorted(facts.unread)))]


def is_clean(found: list[Finding]) -> bool:
    """Whether there is advice at most."""
    return all(it.severity == Severity.ADVICE for it in found)
