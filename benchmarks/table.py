"""A row of the report, and how it is printed. Measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Target:
    """What a value is held against. unit: what stands behind both numbers."""

    sign: str  # ">=" or "<="
    bound: float
    unit: str = "x"

    def met(self, value: float) -> bool:
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g} {self.unit}"


@dataclass(frozen=True)
class Row:
    """One measure: what doshit does, what the floor does, and the value that the target is about."""

    name: str
    figure: str
    floor: str
    value: float
    spread: str
    target: Target

    @property
    def met(self) -> bool:
        return self.target.met(self.value)

    def cells(self) -> list[str]:
        judged = f"{self.value:.3g} {self.target.unit}{self.spread}"
        return [self.name, self.figure, self.floor, judged, str(self.target), "yes" if self.met else "**no**"]


def ratio_row(name: str, unit: str, figures: Sequence[float], floors: Sequence[float], target: Target) -> Row:
    """A row of alternating rounds: the medians of both, the median ratio, and the least and greatest ratio."""
    ratios = [figure / floor for figure, floor in zip(figures, floors, strict=True)]
    spread = f" ({min(ratios):.3g} to {max(ratios):.3g})" if len(ratios) > 1 else ""
    figure, floor = (f"{number(median(values))} {unit}" for values in (figures, floors))
    return Row(name, figure, floor, median(ratios), spread, target)


def number(value: float) -> str:
    """Three digits that mean something, thousands apart: 38,400, 1.25, 0.31."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


HEADER = ["measure", "doshit", "floor", "value (least to greatest)", "target", "met"]


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table that also reads well as plain text."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    rule = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths) for cells in (HEADER, rule, *lines[1:]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
