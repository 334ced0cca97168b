"""The line between a worker and its server in the hands of a row: cut, held, slow, or leading to another server."""

import socket
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from proxy import Proxy


class Line(Proxy):
    """A proxy whose server may be away for a while, or change.

    late: seconds that every reply takes longer.
    """

    def __init__(self, upstream: str, *, late: float = 0.0, **faults: Any) -> None:
        super().__init__(upstream, **faults)
        self._late = late

    def moves_to(self, url: str) -> None:
        """Leads to another server, as a load balancer or a DNS name does: open connections end, new ones go there."""
        self._upstream = urlsplit(url)
        self.cut()

    def _connect(self) -> socket.socket:
        if self._upstream.scheme != "unix":
            return super()._connect()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(unquote(self._upstream.path))
        except OSError:
            server.close()
            raise
        return server

    def _send(self, client: socket.socket, reply: bytes) -> None:
        time.sleep(self._late)
        super()._send(client, reply)
