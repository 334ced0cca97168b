"""The line between a worker and its server in the hands of a row: cut, held, slow, or leading to another server."""

import socket
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from proxy import SCRIPT_CALLS, Connection, Proxy


class Line(Proxy):
    """A proxy whose server may be away for a while, or change.

    late: seconds that every reply takes longer.
    loses_claims: settable at any time: of what a worker writes when it begins to wait, only the BLMOVE arrives and the
        claim behind it does not. lost_claims: how many did not.
    loses: settable at any time: the next reply that holds these bytes is lost with its connection, which empties this.
    """

    def __init__(self, upstream: str, *, late: float = 0.0, **faults: Any) -> None:
        super().__init__(upstream, **faults)
        self._late = late
        self.loses_claims = False
        self.lost_claims = 0
        self.loses = b""

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

    def _is_passed(self, connection: Connection, name: bytes) -> bool:
        is_behind = bool(connection.commands) and connection.commands[-1] == b"BLMOVE"
        is_lost = self.loses_claims and is_behind and name in SCRIPT_CALLS
        self.lost_claims += is_lost
        return not is_lost

    def _is_dropped(self, connection: Connection, reply: bytes) -> bool:
        if not self.loses or self.loses not in reply:
            return super()._is_dropped(connection, reply)
        self.loses = b""
        return True

    def _send(self, client: socket.socket, reply: bytes) -> None:
        time.sleep(self._late)
        super()._send(client, reply)
