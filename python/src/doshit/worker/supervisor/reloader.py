"""Watches the files that the target imported. Says that they changed; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable


class Reloader:
    """files: told anew after each reload. on_change hears that one of them is another than it was."""

    EVERY = 0.4

    def __init__(self, files: Callable[[], Iterable[str]], on_change: Callable[[], None]) -> None:
        self._files, self._on_change = files, on_change
        self._next = 0.0
        self._seen: dict[str, int] = {}

    def tick(self, now: float) -> None:
        """Looks if it is time. now: seconds of the monotonic clock."""
        if now < self._next:
            return
        self._next = now + self.EVERY
        current = {file: _version(file) for file in self._files()}
        changed = any(self._seen.get(file, version) != version for file, version in current.items())
        self._seen = current
        if changed:
            self._on_change()


def _version(file: str) -> int:
    """When it was written, 0 while it is not there (editors replace files)."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0
