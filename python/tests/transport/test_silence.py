"""When a worker's session last heard of its server: an answer or a refusal counts, silence does not."""

import socket
import time

import pytest

from doshit.worker.supervisor.session import Session
from worker.workers import until

QUIET = 1.0  # seconds of silence that a test looks at


class Driven:
    """A session whose loop is turned by the test. Answers are put into `said`."""

    def __init__(self, url: str) -> None:
        self.session = Session(url, "doshit-worker", lambda: None)
        self.session.connect()
        self.said: list[object] = []

    def ask(self) -> None:
        self.session.call(("PING",), self.said.append)

    def turn(self) -> None:
        self.session.flush()
        if self.session.link.is_open and self.session.link.wait(0.02):
            self.session.receive()
        self.session.tick(time.monotonic())

    def turn_until(self, condition, what: str) -> None:
        def one() -> bool:
            self.turn()
            return bool(condition())

        until(one, what=what)


@pytest.fixture
def driven(start_proxy, redis_url):
    proxy = start_proxy(redis_url)
    made = Driven(proxy.url)
    yield made, proxy
    made.session.close()


def test_an_answer_is_heard(driven):
    it, _ = driven
    before = it.session.heard_at
    it.ask()
    it.turn_until(lambda: it.said, "the answer is there")
    assert it.session.heard_at > before


def test_no_answer_is_silence(driven):
    it, proxy = driven
    proxy.hold()
    it.ask()
    before, began = it.session.heard_at, time.monotonic()
    while time.monotonic() - began < QUIET:
        it.turn()
    assert it.session.heard_at == before
    proxy.release()
    it.turn_until(lambda: it.said, "the answer is there")
    assert it.session.heard_at > began


def test_a_server_that_refuses_connections_is_no_silence(start_server):
    server = start_server(tcp=True)
    it = Driven(server.url)
    server.stop()
    it.turn_until(lambda: not it.session.is_up, "the loss is seen")
    lost = it.session.heard_at
    it.turn_until(lambda: it.session.heard_at > lost, "the refusal is heard")
    it.session.close()


def test_a_host_that_takes_a_connection_and_says_nothing_is_silence(redis_url, monkeypatch):
    monkeypatch.setattr("doshit.transport.connect._TIMES", {"socket_connect_timeout": 0.2, "socket_timeout": 0.2})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        session = Session(f"redis://x:y@127.0.0.1:{listener.getsockname()[1]}", "doshit-worker", lambda: None)
        before = session.heard_at
        woken: list[bool] = []
        session._on_wake = lambda: woken.append(True)
        session.tick(time.monotonic())
        until(lambda: woken, what="a try to connect has ended")
        assert session.heard_at == before
