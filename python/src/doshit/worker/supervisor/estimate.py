"""How long runs of a function have lately taken, and so how many are worth one batch. Reads no clock."""

from __future__ import annotations

BATCH_WORTH = 0.010  # seconds of work that a batch may hold
BATCH_MOST = 200
_WEIGHT = 0.1


class Estimate:
    """Running means of durations in seconds: one for each function, one for all."""

    def __init__(self) -> None:
        self._of: dict[bytes, float] = {}
        self.mean: float | None = None

    def learn(self, function: bytes, seconds: float) -> None:
        """Takes a duration in. A longer one than expected weighs at once: a batch behind it would wait."""
        self._of[function] = _blend(self._of.get(function), seconds)
        self.mean = _blend(self.mean, seconds)

    def of(self, function: bytes) -> float:
        """Seconds; a function that never ran counts as a whole batch."""
        return self._of.get(function, BATCH_WORTH)

    def batch(self) -> int:
        """How many runs of the usual mix a child may be given at once."""
        if self.mean is None:
            return 1
        return max(1, min(BATCH_MOST, int(BATCH_WORTH / max(self.mean, 1e-9))))


def _blend(mean: float | None, seconds: float) -> float:
    return seconds if mean is None else mean + _WEIGHT * (seconds - mean)
