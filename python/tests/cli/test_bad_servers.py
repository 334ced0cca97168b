"""Servers that will not do: each command says so in one line, with the next step, and shows no traceback."""

import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

PASSWORD = "open sesame"


@pytest.fixture
def guarded(plain, redis_url) -> Iterator[Callable[[str, int], str]]:
    """The test's own server, which now wants a password: guarded(login, db) is its URL."""
    path = urlsplit(redis_url).path
    plain.config_set("requirepass", PASSWORD)
    yield lambda login, db: f"unix://{login}{path}?db={db}"
    plain.config_set("requirepass", "")


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[list[bytes]], bytes]], str]]:
    """Listens on a port and answers each command as the given function says; gives the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def start(answer: Callable[[list[bytes]], bytes]) -> str:
            def serve(peer: socket.socket) -> None:
                with peer, peer.makefile("rb") as said:
                    while count := said.readline()[1:]:
                        words = [said.read(int(said.readline()[1:]) + 2)[:-2] for _ in range(int(count))]
                        peer.sendall(answer(words))

            def accept() -> None:
                while True:
                    try:
                        peer, _ = listener.accept()
                    except OSError:
                        return
                    threading.Thread(target=serve, args=(peer,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return f"redis://127.0.0.1:{listener.getsockname()[1]}/0"

        yield start
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def refused(doshit, tmp_path):
    """The line that each of these commands ends with, for a URL."""
    (tmp_path / "tasks.py").write_text("from doshit import task\n@task\ndef one() -> int:\n    return 1\n")

    def refused(url: str, *commands: str) -> list[str]:
        words = {
            "status": ("status",),
            "check": ("status", "--check"),
            "show": ("show", "one"),
            "submit": ("submit", "one", "--wait", "1"),
            "worker": ("worker", str(tmp_path / "tasks.py"), "--burst"),
        }
        lines = []
        for command in commands or words:
            said = doshit(*words[command], "--redis", url)
            assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said
            assert said.stderr.startswith("doshit: ")
            assert PASSWORD not in said.stderr
            assert "of pipeline" not in said.stderr
            lines.append(said.stderr)
        return lines

    return refused


def test_a_url_without_the_password_it_needs(refused, guarded):
    for line in refused(guarded("", 0)):
        assert "check the user and password in the URL" in line
        assert "WRONGPASS" not in line


def test_a_wrong_password(refused, guarded):
    for line in refused(guarded(":open@", 0)):
        assert "WRONGPASS" in line
        assert "check the user and password in the URL" in line


def test_a_database_that_is_not_there(refused, guarded):
    for line in refused(guarded(":open%20sesame@", 999)):
        assert "use a database number the server has" in line


def test_a_server_that_is_too_old(refused, listen):
    def answer(words: list[bytes]) -> bytes:
        if words[0].upper() == b"INFO":
            about = b"redis_version:5.0.14\r\nrole:master\r\n"
            return b"$%d\r\n%s\r\n" % (len(about), about)
        return b"+OK\r\n" if words[0].upper() == b"SELECT" else b"-ERR unknown command '%s'\r\n" % words[0]

    url = listen(answer)
    for line in refused(url):
        assert "doshit needs" in line
        assert "6.2 or newer, or Valkey" in line
    assert "is 5.0.14" in refused(url, "worker")[0]


def test_a_server_that_is_no_redis(refused, listen):
    for line in refused(listen(lambda words: b"HTTP/1.1 400 Bad Request\r\n\r\n")):
        assert "no Redis" in line
        assert "check the host and port" in line or "doshit server" in line


def test_a_probe_that_gets_no_answer_names_the_server(refused):
    (line,) = refused("redis://127.0.0.1:1/0", "check")
    assert "redis://127.0.0.1:1/0" in line
