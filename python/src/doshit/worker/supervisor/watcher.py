"""What the loop waits for: descriptors and who hears of them. A descriptor's number may be another's a moment later."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable, Hashable

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Heard = Callable[[int], None]


class Watcher:
    """One selector. Each owner has at most one descriptor; what another has taken over is never unregistered for it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._of_owner: dict[Hashable, int] = {}
        self._of_fd: dict[int, Hashable] = {}

    def watch(self, owner: Hashable, fd: int, events: int, heard: Heard) -> None:
        """Has `heard` called with READ or WRITE (or both) when the descriptor is ready. Replaces what the owner had."""
        self.forget(owner)
        if fd in self._of_fd:  # closed by its former owner, who has not said so yet
            self.forget(self._of_fd[fd])
        self._selector.register(fd, events, heard)
        self._of_owner[owner], self._of_fd[fd] = fd, owner

    def forget(self, owner: Hashable) -> None:
        """Watches for this owner no more. The descriptor may be closed already."""
        fd = self._of_owner.pop(owner, -1)
        if self._of_fd.get(fd) == owner:
            del self._of_fd[fd]
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(fd)

    def wait(self, seconds: float, awake: float = 0.0) -> None:
        """Waits at most so long, and tells those concerned. One of them may close another: that one is passed over.

        awake: so many of these seconds it looks again and again, and yields to whoever else wants the processor. Who
        answers in that time need not wake this process, which on a virtual machine costs more than the answer.
        """
        found = self._selector.select(0) if awake else []
        until = time.monotonic() + awake
        while not found and time.monotonic() < until:
            os.sched_yield()
            found = self._selector.select(0)
        for key, events in found or self._selector.select(seconds):
            if self._of_fd.get(key.fd) is not None and self._selector.get_map().get(key.fd) is key:
                key.data(events)
