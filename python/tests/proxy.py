"""Stands between a client and its server and breaks the connection on purpose. Changes no byte that it passes on."""

import shutil
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote, urlsplit

SCRIPT_CALLS = {b"EVAL", b"EVALSHA", b"FCALL"}
SUBSCRIPTIONS = {b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE"}


def frame_end(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the RESP frame that begins at `at` ends; None where it is not all there yet."""
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        return None
    kind, body, end = data[at : at + 1], data[at + 1 : line_end], line_end + 2
    if kind in b"$=!":
        end += max(int(body) + 2, 0) if int(body) >= 0 else 0
        return end if end <= len(data) else None
    if kind in b"*~>%":
        for _ in range(int(body) * (2 if kind == b"%" else 1)):
            inner = frame_end(data, end)
            if inner is None:
                return None
            end = inner
    return end


def frames(connection: socket.socket) -> Iterator[bytes]:
    """The frames that come in on a connection, until it ends or is cut."""
    data = bytearray()
    with suppress(OSError):
        while received := connection.recv(1 << 16):
            data += received
            at = 0
            while (end := frame_end(data, at)) is not None:
                yield bytes(data[at:end])
                at = end
            del data[:at]


def command_name(request: bytes) -> bytes:
    """The first word of a request, in capitals."""
    return request.split(b"\r\n", 3)[2].upper()


class Connection:
    """One client's connection and the proxy's own to the server: cut together."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.commands: deque[bytes] = deque()
        """The names of the requests whose reply has not come yet, oldest first."""
        self.subscribed = False

    def cut(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """A proxy at `url` for the server at `upstream`, from `with` to its end.

    drop_every: of the replies to script calls, counted over all connections, each n-th is withheld and its connection
        cut: the server has run the script and the client cannot know. 0, settable at any time: none. A NOSCRIPT is no
        such reply, since nothing has run
    shred: pass every reply on one byte at a time
    tcp: listen on a loopback port instead of a unix socket
    """

    def __init__(self, upstream: str, *, drop_every: int = 0, shred: bool = False, tcp: bool = False) -> None:
        self.drop_every = drop_every
        self.script_replies = 0
        self.dropped = 0
        self.accepted = 0
        self._upstream = urlsplit(upstream)
        self._shred = shred
        self._folder = Path(tempfile.mkdtemp(prefix="doshit-proxy-"))
        self._listener = socket.create_server(("127.0.0.1", 0)) if tcp else self._listen_at_path()
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def url(self) -> str:
        """The upstream's URL with the proxy in its place; user, password and database stay."""
        query = f"?{self._upstream.query}" if self._upstream.query else ""
        if self._listener.family == socket.AF_UNIX:
            return f"unix://{quote(self._listener.getsockname())}{query or '?db=0'}"
        login, at, _ = self._upstream.netloc.rpartition("@")
        database = self._upstream.path if self._upstream.scheme != "unix" else ""
        return f"redis://{login}{at}127.0.0.1:{self._listener.getsockname()[1]}{database}{query}"

    def cut(self) -> None:
        """Cuts every connection there is; new ones are taken."""
        with self._lock:
            for connection in self._connections:
                connection.cut()

    def hold(self) -> None:
        """Passes nothing on any more and cuts nothing, as a half-open connection does, until release()."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.release()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        shutil.rmtree(self._folder)

    def _listen_at_path(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._folder / "proxy.sock"))
        listener.listen()
        return listener

    def _run(self, target, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        try:
            connection = Connection(client, self._connect())
        except OSError:
            client.close()  # The server is away: so is the proxy.
            return
        with self._lock:
            self.accepted += 1
            self._connections.append(connection)
            if self._closed:
                connection.cut()
        self._run(self._pass_connection, connection)

    def _connect(self) -> socket.socket:
        if self._upstream.scheme != "unix":
            return socket.create_connection((self._upstream.hostname, self._upstream.port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(unquote(self._upstream.path))
        return server

    def _pass_connection(self, connection: Connection) -> None:
        with connection.client, connection.server:
            replies = threading.Thread(target=self._pass_replies, args=(connection,), daemon=True)
            replies.start()
            self._pass_requests(connection)
            replies.join()
        with self._lock:
            self._connections.remove(connection)

    def _pass_requests(self, connection: Connection) -> None:
        with suppress(OSError):
            for request in frames(connection.client):
                name = command_name(request)
                if not self._is_passed(connection, name):
                    continue
                connection.subscribed |= name in SUBSCRIPTIONS
                connection.commands.append(name)
                self._flowing.wait()
                connection.server.sendall(request)
        connection.cut()

    def _is_passed(self, connection: Connection, name: bytes) -> bool:
        """Does this request get to the server? One that does not is never answered."""
        return True

    def _pass_replies(self, connection: Connection) -> None:
        with suppress(OSError):
            for reply in frames(connection.server):
                self._flowing.wait()
                if self._is_dropped(connection, reply):
                    break
                self._send(connection.client, reply)
        connection.cut()

    def _is_dropped(self, connection: Connection, reply: bytes) -> bool:
        # Once subscribed, messages come unasked and replies cannot be told from them; no script is called there.
        if connection.subscribed or reply.startswith(b">"):
            return False
        if connection.commands.popleft() not in SCRIPT_CALLS or reply.startswith(b"-NOSCRIPT"):
            return False
        with self._lock:
            self.script_replies += 1
            dropped = self.drop_every > 0 and self.script_replies % self.drop_every == 0
            self.dropped += dropped
            return dropped

    def _send(self, client: socket.socket, reply: bytes) -> None:
        for at in range(0, len(reply), 1 if self._shred else len(reply)):
            client.sendall(reply[at : at + 1] if self._shred else reply)
