"""TLS with an authority made by the test: verified by default, with a certificate of the client where asked for."""

import asyncio
import gc
import select
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from doshit import Doshit
from doshit.errors import DoshitError
from doshit.transport import AsyncFace, SyncFace
from servers import engines, private_folder
from transport.nodes import Node


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates():
    """A folder with ca.pem, and cert.pem and key.pem that it signed for localhost and 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl command to make certificates with")
    with private_folder() as folder:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
        openssl(folder, "req", *curve, "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=localhost")
        (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl(
            folder, "x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "names", "-out", "cert.pem",
        )  # fmt: skip
        yield folder


def start(folder: Path, *lines: str, **settings: Any) -> Node:
    """On the first engine of this machine whose server was built with TLS."""
    for engine in engines():
        try:
            return Node(engine.binary, folder, *lines, **settings)
        except AssertionError as error:
            if "TLS support" not in str(error):
                raise
    pytest.skip("no server on this machine was built with TLS (Debian's redis-server is)")


@pytest.fixture
def secure(certificates):
    """A server that speaks TLS only, and asks for a certificate of the client."""
    pem = {name: str(certificates / f"{name}.pem") for name in ("ca", "cert", "key")}
    lines = (f"tls-cert-file {pem['cert']}", f"tls-key-file {pem['key']}", f"tls-ca-cert-file {pem['ca']}")
    own = {"ssl": True, "ssl_ca_certs": pem["ca"], "ssl_certfile": pem["cert"], "ssl_keyfile": pem["key"]}
    with private_folder() as folder:
        node = start(folder, *lines, "tls-auth-clients yes", **own)
        yield node
        node.close()


@pytest.fixture
def options(certificates) -> str:
    pem = {name: certificates / f"{name}.pem" for name in ("ca", "cert", "key")}
    return f"ssl_ca_certs={pem['ca']}&ssl_certfile={pem['cert']}&ssl_keyfile={pem['key']}"


def test_tasks_run_over_tls_with_a_certificate_of_the_client(secure, options, start_worker):
    url = f"rediss://{secure.host}/0?{options}"
    start_worker(url, "doshit")
    with Doshit(url) as app:
        assert app.enqueue("add", {"a": 1, "b": 2}).result(timeout=25) == 3
        # A result of several TLS records, which the socket announces only once.
        assert app.enqueue("echo", {"text": "x" * 100_000}).result(timeout=25) == "x" * 100_000

    async def ask() -> Any:
        async with Doshit(url) as app:
            return await (await app.aenqueue("add", {"a": 2, "b": 2})).aresult(timeout=25)

    assert asyncio.run(ask()) == 4


def test_session_tickets_that_come_before_the_first_command_are_no_reason_to_refuse_a_connection(
    secure, options, monkeypatch
):
    """TLS 1.3 sends them right after the handshake; redis-py takes any byte there for the rest of an old reply."""
    handshake = redis.SSLConnection._connect

    def and_tickets(connection: redis.SSLConnection) -> Any:
        socket = handshake(connection)
        assert select.select([socket], [], [], 20)[0], "the server has sent no ticket"
        return socket

    monkeypatch.setattr(redis.SSLConnection, "_connect", and_tickets)
    face = SyncFace(f"rediss://{secure.host}/0?{options}")
    assert face.pipeline([("ECHO", "one"), ("ECHO", "two")]) == [b"one", b"two"]
    face.close()


def test_a_subscription_whose_read_is_cancelled_waits_for_the_goodbye_of_tls(secure, options):
    """What an event loop leaves open when it ends stays so until the garbage collector comes by."""

    async def end() -> None:
        subscription = AsyncFace(f"rediss://{secure.host}/0?{options}").subscribe(["news"])
        await subscription.open()
        reader = asyncio.create_task(subscription.events(25))
        await asyncio.sleep(0)
        secure.process.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.2, secure.process.send_signal, signal.SIGCONT)
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader

    try:
        asyncio.run(end())
    finally:
        secure.process.send_signal(signal.SIGCONT)
    gc.collect()  # what was left open warns here, and a warning fails the test


@pytest.mark.parametrize(
    ("url", "step"),
    [
        ("rediss://{host}/0", "ssl_ca_certs="),
        ("rediss://{host}/0?ssl_ca_certs={ca}", "ssl_certfile="),
    ],
)
def test_what_is_missing_for_tls_is_named(secure, certificates, url, step):
    with (
        pytest.raises(DoshitError, match=step),
        Doshit(url.format(host=secure.host, ca=certificates / "ca.pem")) as app,
    ):
        app.enqueue("add", {"a": 1, "b": 2})


def test_a_name_that_the_certificate_does_not_have_is_refused(secure, options):
    url = f"rediss://127.0.0.2:{secure.port}/0?{options}"
    secure.client.config_set("bind", "127.0.0.1 127.0.0.2")
    with pytest.raises(DoshitError, match="the host as it stands there"), Doshit(url) as app:
        app.enqueue("add", {"a": 1, "b": 2})


def test_tls_towards_a_port_without_it_is_told(start_node, monkeypatch):
    monkeypatch.setattr("doshit.transport.connect._TIMES", {"socket_connect_timeout": 0.3, "socket_timeout": 0.3})
    url = f"rediss://{start_node().host}/0"
    with pytest.raises(DoshitError, match=r"write redis:// instead of rediss://"), Doshit(url) as app:
        app.enqueue("add", {"a": 1, "b": 2})
