"""The fixtures that every test may ask for: a server, its URL, a fresh prefix. Holds no fixture of one suite only."""

import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from doshit.server import EmbeddedServer
from proxy import Proxy
from servers import Engine, engines, private_server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=["valkey", "redis", "all"],
        default="all",
        help="run on this engine; 'all' (default): what asks for each engine runs on all that are here",
    )


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """A function is called by its name: its address differs between the processes of xdist."""
    return getattr(val, "__name__", None) if callable(val) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many cases of protocol/conformance have passed, in the words of every language's runner."""
    passed: set[tuple[str, str]] = set()  # a case that passes on two engines is one
    for report in terminalreporter.getreports("passed"):
        passed |= {tuple(case) for name, case in report.user_properties if name == "case"}
    if passed:
        counts = Counter(folder for folder, _ in passed)
        listed = ", ".join(f"{counts[folder]} {folder}" for folder in ("values", "commands", "stories"))
        terminalreporter.write_line(f"conformance: {len(passed)} cases, {listed}")


def _chosen(config: pytest.Config) -> list[Engine]:
    wanted = config.getoption("--engine")
    return engines(wanted) or pytest.exit(f"--engine {wanted}: no such server on this machine", returncode=4)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "each_server" in metafunc.fixturenames:
        metafunc.parametrize("each_server", _chosen(metafunc.config), indirect=True, ids=str, scope="session")


@pytest.fixture(scope="session", autouse=True)
def _hear_ctrl_c() -> None:
    """A shell starts what goes to the background deaf to Ctrl-C, and the programs of tests would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DOSHIT_") or name == "REDIS_URL"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> Engine:
    """The engine of the tests that run on one engine only."""
    return _chosen(pytestconfig)[0]


@pytest.fixture(scope="session")
def server(engine: Engine) -> Iterator[EmbeddedServer]:
    """One server for all tests of this process, without persistence. Ask for redis_url, which empties it."""
    with private_server(engine) as server:
        yield server


@pytest.fixture(scope="session")
def each_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """Like server, and the test runs once on each engine. Ask for each_redis_url."""
    with private_server(request.param) as server:
        yield server


@pytest.fixture
def redis_url(server: EmbeddedServer) -> str:
    """The URL of an empty server."""
    return _emptied(server)


@pytest.fixture
def each_redis_url(each_server: EmbeddedServer) -> str:
    """The URL of an empty server; the test runs once on each engine."""
    return _emptied(each_server)


def _emptied(server: EmbeddedServer) -> str:
    with redis.Redis.from_url(server.url) as plain:
        assert plain.info("server")["process_id"] == server.pid
        plain.flushall()
    return server.url


@pytest.fixture
def prefix() -> str:
    """An application prefix that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def plain(redis_url: str) -> Iterator["redis.Redis"]:
    """A plain Redis client, bytes in and out, as any producer might have one."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def start_server(engine: Engine) -> Iterator[Callable[..., EmbeddedServer]]:
    """Starts one more server, for a test that breaks, reconfigures or restarts it: start_server(persist=True)."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(private_server(engine, **settings))


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Proxy]]:
    """Puts a proxy before a URL: start_proxy(redis_url, drop_every=5)."""
    with ExitStack() as stack:
        yield lambda url, **faults: stack.enter_context(Proxy(url, **faults))
