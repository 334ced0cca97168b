"""How a report looks, for a person and for a program. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from doshit.cli.doctor.facts import SHOWN, Facts, Finding, Severity
from doshit.cli.text import one_line


@dataclass(frozen=True)
class Report:
    """What was found last, and what was done before: pairs of a finding and what became of it."""

    facts: Facts
    findings: Sequence[Finding]
    done: Sequence[tuple[Finding, str]] = ()


def lines(report: Report) -> Iterator[str]:
    """The report for a person."""
    if report.done:
        yield "fixed:"
        yield from (f"  {one_line(f'{finding.code}  {finding.where}: {said}')}" for finding, said in report.done)
        yield ""
    for finding in report.findings:
        yield from _finding(finding)
    yield from (f"not looked at: {one_line(cut)}; --deep looks at all" for cut in report.facts.cut)
    yield _sum(report.findings)


def _finding(finding: Finding) -> Iterator[str]:
    yield one_line(f"{finding.severity}  {finding.code}  {finding.where}")
    yield one_line(f"  {finding.what}")
    ids = [target.id for target in finding.targets]
    if ids:
        more = f" and {finding.count - SHOWN} more" if finding.count > SHOWN else ""
        yield one_line(f"  {', '.join(ids[:SHOWN])}{more}")
    yield one_line(f"  {finding.remedy}")
    yield ""


def _sum(findings: Sequence[Finding]) -> str:
    if not findings:
        return "nothing found"
    counts = {severity: sum(it.severity == severity for it in findings) for severity in Severity}
    fixable = sum(it.fix for it in findings)
    words = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.ADVICE: "pieces of advice"}
    parts = [_counted(count, words[severity]) for severity, count in counts.items() if count]
    hint = f"; --fix can do something about {fixable}" if fixable else ""
    return ", ".join(parts) + hint


def _counted(count: int, words: str) -> str:
    if count > 1:
        return f"{count} {words}"
    return f"1 {words.replace('pieces', 'piece').removesuffix('s')}"


def machine_form(report: Report) -> dict[str, Any]:
    """The report as one JSON object. done has what --fix said of each finding that it took on."""
    return {
        "prefix": report.facts.prefix,
        "findings": [_row(finding) for finding in report.findings],
        "done": [{"code": finding.code, "where": finding.where, "said": said} for finding, said in report.done],
        "cut": list(report.facts.cut),
    }


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "what": finding.what,
        "where": finding.where,
        "ids": [target.id for target in finding.targets[:SHOWN]],
        "count": finding.count,
        "remedy": finding.remedy,
        "fix": finding.fix,
    }
