"""Runs the measurements, prints their table and saves it in results/latest.md. Knows nothing of how they are made."""

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import drain
import enqueue
import footprint
import latency
import million
import mixed
import startup
from measure import Report
from table import markdown

from doshit.server import find_binary

MEASURES: dict[str, Callable[[bool], Report]] = {
    "drain": drain.measure,
    "latency": latency.measure,
    "enqueue": enqueue.measure,
    "footprint": footprint.measure,
    "million": million.measure,
    "mixed": mixed.measure,
    "startup": startup.measure,
}
SAVED = Path(__file__).parent / "results" / "latest.md"


def main() -> int:
    args = _parse()
    reports = [MEASURES[name](args.quick) for name in args.measure or MEASURES]
    rows = [row for report in reports for row in report.rows]
    notes = [note for report in reports for note in report.notes]
    text = "\n\n".join([_conditions(args.quick), markdown(rows), *notes]) + "\n"
    SAVED.parent.mkdir(exist_ok=True)
    SAVED.write_text(text)
    print(text, end="")
    return 1 if args.check and not all(row.met for row in rows) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure doshit beside floors of the same run; see docs/performance.md."
    )
    parser.add_argument("measure", nargs="*", metavar="MEASURE", help=f"run only these: {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="small numbers, for a look while changing things")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    args = parser.parse_args()
    if unknown := set(args.measure) - set(MEASURES):
        parser.error(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    return args


def _conditions(quick: bool) -> str:
    """When and on what: a figure means nothing without it."""
    said = subprocess.run([find_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=([\d.]+)", said)
    engine = " ".join(found.groups()) if found else said.strip()
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {engine} without persistence on a unix socket, "
        f"Python {platform.python_version()}, {cores} cores, load average {load:.1f} at the end."
        + (" Quick: small numbers, not to be quoted." if quick else "")
    )


if __name__ == "__main__":
    sys.exit(main())
