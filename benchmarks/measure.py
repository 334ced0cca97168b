"""What every measurement is given and gives back. Measures nothing."""

import sys
from dataclasses import dataclass, field
from uuid import uuid4

from table import Row


@dataclass
class Report:
    """The rows of one measurement, and lines that say where the time goes."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def say(text: str) -> None:
    """Progress, on stderr: stdout has the table."""
    print(f"  {text}", file=sys.stderr, flush=True)


def fresh_ids(count: int) -> list[str]:
    """Ids for a floor, made before its clock starts."""
    return [str(uuid4()) for _ in range(count)]


def window(count: int) -> tuple[int, int]:
    """The first and the last position of a series that count: 5 % at each end are left out."""
    return count // 20, count - count // 20 - 1
