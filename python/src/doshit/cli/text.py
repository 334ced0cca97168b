"""How values look on a terminal: escaped, as durations, tables and JSON. Prints nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence


def one_line(text: str) -> str:
    """The text with everything escaped that could move a cursor, hide or end a line: \\n, \\x1b, \\u202e."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def many_lines(text: str) -> str:
    """The same for text of several lines, such as a traceback: line breaks stay, tabs become spaces."""
    lines = text.expandtabs(4).replace("\r\n", "\n").split("\n")
    return "\n".join(one_line(line) for line in lines)


def shortened(text: str, limit: int) -> str:
    """At most so many characters of the text, saying so where some are left out."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters, --json shows all)"


def clipped(text: str, limit: int) -> str:
    """At most so many characters of a line, its end marked where it is cut."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def as_json(value: object, indent: int | None = None) -> str:
    """The value as JSON a terminal can show: readable text stays, other characters are escaped in JSON's own way."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Line breaks come from the indent only: those inside a text are escaped already.
    return "".join(mark if mark.isprintable() or mark == "\n" else json.dumps(mark)[1:-1] for mark in text)


def duration(seconds: float | None) -> str:
    """4 ms, 1.2 s, 90 s, 12 min, 5 h, 3 d; "-" for an unknown one."""
    if seconds is None:
        return "-"
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, size, most in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds / size < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def table(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    """Lines of aligned columns, each as wide as its widest cell; numbers stand to the right."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    numeric = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(header))]
    return ["  ".join(_aligned(row, widths, numeric)).rstrip() for row in cells]


def _aligned(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(row, widths, numeric, strict=True)
    ]
