"""The child's end of the channel: whole frames, from any thread. An order that comes amid a frame waits for its end."""

from __future__ import annotations

import socket
import threading
from typing import Any

from doshit.worker.wire import frame


class Outbox:
    """What this child says. Only the main thread is ever interrupted by an order."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel, self._lock = channel, threading.Lock()
        self._main = threading.main_thread().ident
        self._busy = False
        self._late: BaseException | None = None

    def send(self, message: Any) -> None:
        """Sends one frame. Raises what interrupt() had to hold back, when the frame is out."""
        data = frame(message)
        if threading.get_ident() != self._main:
            with self._lock:
                self._channel.sendall(data)
            return
        self._busy = True
        try:
            with self._lock:
                self._channel.sendall(data)
        finally:
            self._busy = False
        if self._late is not None:
            late, self._late = self._late, None
            raise late

    def report(self, message: Any) -> None:
        """Sends the last frame of a run. It is over, so no order interrupts this."""
        with self._lock:
            self._channel.sendall(frame(message))

    def interrupt(self, error: BaseException) -> None:
        """Raises an error in the main thread, from its signal handler: now, or after the frame that it is sending."""
        if self._busy:
            self._late = error
        else:
            raise error

    def calm(self) -> None:
        """The run is over: what was held back for it is not raised any more."""
        self._late = None
