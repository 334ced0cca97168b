"""The table that `make faults` ends with: rows, kinds of workers, seeds, outcomes and skips. Runs nothing."""

import re
from collections import Counter, defaultdict

import pytest

ROW = re.compile(r"test_row_(\d\d)(b?)_")
NAMES = {
    "01": "child killed",
    "02": "supervisor killed",
    "03": "whole tree killed",
    "04": "stopped or killed in the idle wait",
    "05": "killed after the effect, before finish",
    "06": "replies lost: finish, claim, submit",
    "07": "fork server killed, or hanging",
    "07b": "out of memory in a child",
    "08": "poison: kills its whole worker",
    "09": "segfault, abort, sys.exit, os._exit",
    "10": "worker stopped past its lease",
    "11": "GIL or C past the lease",
    "12": "SIGTERM in every mood",
    "13": "rolling restart x20",
    "14": "daemons, fork bomb, flood, deaf child",
    "15": "cut from Redis 5 s, 30 s",
    "16": "half-open TCP in a blocking fetch",
    "17": "slow, lossy, byte by byte",
    "18": "connections killed, PAUSE, stall",
    "19": "Redis killed: 4 s, 60 s, comes back empty",
    "20": "failover",
    "21": "maxmemory",
    "22": "SCRIPT FLUSH in a loop",
    "23": "wrong types, deleted keys, FLUSHDB",
    "24": "malformed tasks",
    "25": "waiter misses its message",
    "26": "worker's clock an hour off",
    "27": "cancel at every moment",
    "28": "1 to 5 with a task made by hand",
    "29": "random mix",
}
OUTCOMES = {"passed", "failed", "error", "skipped", "xfailed", "xpassed"}


class Report:
    """Takes the reports of pytest, in any order and from any process."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._seeds: dict[str, set[int]] = defaultdict(set)
        self._notes: dict[str, list[str]] = defaultdict(list)
        self._schedules: list[str] = []

    def take(self, outcome: str, report: pytest.TestReport) -> None:
        match = ROW.search(report.nodeid)
        if match is None or outcome not in OUTCOMES:
            return
        row = match[1] + match[2]
        properties = dict(report.user_properties)
        kind = str(properties.get("kind", "python"))
        self._counts[row][kind][outcome] += 1
        for name, value in report.user_properties:
            if name == "seed":
                self._seeds[row].add(int(str(value)))
            elif name == "figure":
                self._notes[row].append(f"{kind}: {value}")
            elif name == "schedule":
                self._schedules.append(str(value))
        if outcome == "skipped" and isinstance(report.longrepr, tuple):
            self._notes[row].append(f"{kind}: skipped: {report.longrepr[2].removeprefix('Skipped: ')}")
        elif outcome == "xfailed":
            self._notes[row].append(f"{kind}: not yet: {getattr(report, 'wasxfail', '')}")

    def lines(self) -> list[str]:
        """Schedules first, then the table."""
        rows = [self._line(row) for row in NAMES]
        head = [f"fault suite, first seed {self._seed}", "row  tests of each kind of workers x seeds"]
        return ["", *self._schedules, *head, *rows]

    def _line(self, row: str) -> str:
        counts, seeds = self._counts[row], len(self._seeds[row])
        if not counts:
            return f"{row:4} {NAMES[row]}: not run"
        tests = "; ".join(f"{kind} {_told(outcomes)}" for kind, outcomes in counts.items())
        notes = "".join(f"\n         {note}" for note in dict.fromkeys(self._notes[row]))
        return f"{row:4} {NAMES[row]}: {tests} x {seeds} seeds{notes}"


def _told(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
