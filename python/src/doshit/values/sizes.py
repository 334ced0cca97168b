"""Sizes in bytes, as numbers and as people write them: 200MB, 64KiB. Measures nothing."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)", re.ASCII)
MOST = 10**15 - 1
"""What fits into the 15 digits of the protocol."""


def size_of(size: int | str) -> int:
    """A size in bytes, from a number of bytes or text: KB, MB, GB count by 1000, KiB, MiB, GiB by 1024.

    Raises ValueError below 0, above 15 digits, and for text that is no size.
    """
    given = size
    if isinstance(size, str):
        match = _SIZE.fullmatch(size.strip())
        unit = _UNITS.get(match[2].upper()) if match else None
        if match is None or unit is None:
            raise ValueError(f"{given!r} is no size: give bytes, or text such as 200MB or 64KiB")
        size = round(float(match[1]) * unit)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MOST:
        raise ValueError(f"{given!r} is no size: give bytes as a whole number, or text such as 200MB or 64KiB")
    return size
