"""How long to wait before trying again. Reads no clock; randomness is handed in."""

from __future__ import annotations


def backoff(
    attempt: int,
    first: float,
    factor: float = 2.0,
    ceiling: float = 3600.0,
    jitter: float = 0.0,
) -> float:
    """Seconds before try number attempt + 1, attempt counted from 1: first * factor ** (attempt - 1), at most ceiling.

    jitter is a random number from 0 to 1: the wait lies between half of that and all of it when jitter is given.
    """
    if attempt < 1 or first <= 0:
        return 0.0
    try:
        wait = min(first * factor ** (attempt - 1), ceiling)
    except OverflowError:
        wait = ceiling
    return wait * (1 - jitter / 2)
