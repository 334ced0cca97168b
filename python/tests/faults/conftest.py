"""The fault suite's options, what its rows ask for, and its table. Judges nothing: harness.py does.

`make faults` runs all of it; `make test` only what is quick and not held by the worker's own tests already.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from doshit import Doshit
from doshit.server import EmbeddedServer

pytest.register_assert_rewrite("faults.harness", "worker.workers", *(
    f"worker.test_{name}" for name in ("bad_input", "children", "connections", "crashes", "stops")
))  # fmt: skip

from faults.harness import TASKS, Ledger, Scene  # noqa: E402  what is rewritten must be imported after it is named
from faults.kinds import PYTHON, USUAL, turns  # noqa: E402
from faults.line import Line  # noqa: E402
from faults.node import why_not  # noqa: E402
from faults.report import ROW, Report  # noqa: E402
from worker.conftest import await_ready, endings, gate, own_world, start_worker, world  # noqa: E402
from worker.conftest import ledger as worker_ledger  # noqa: E402
from worker.workers import Worker, World  # noqa: E402

__all__ = ["endings", "gate", "own_world", "start_worker", "worker_ledger", "world"]

HERE = Path(__file__).parent
CHAOS_RUN = 60.0
CHAOS_ALL = 600.0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--all-rows", action="store_true", help="the long rows of the fault suite too, and its table")
    group.addoption("--seed", type=int, default=None, help="the first seed (default: any; the table says which)")
    group.addoption("--seeds", type=int, default=1, help="how many seeds each row is run with")
    group.addoption(
        "--chaos-seconds", type=float, default=None, help=f"row 29 in total, a seed a minute (default {CHAOS_ALL:g})"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: runs only under `make faults`")
    config.addinivalue_line("markers", "kinds: with which kinds of workers it runs; see kinds.py")
    if _is_whole(config) and config.option.seed is None:
        config.option.seed = getattr(config, "workerinput", {}).get("fault_seed") or int(time.time()) % 1_000_000


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The processes of xdist get the seed that was chosen here."""
    node.workerinput["fault_seed"] = node.config.getoption("--seed", None)


def _is_whole(config: pytest.Config) -> bool:
    return bool(config.getoption("--all-rows", False))


def first_seed(config: pytest.Config) -> int:
    """1 under `make test`: what is not asked to look for news does not."""
    return int(config.getoption("--seed", None) or 1)


def pytest_report_header(config: pytest.Config) -> str | None:
    return f"fault suite: seed {first_seed(config)}" if _is_whole(config) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first = first_seed(metafunc.config)
    if "kind" in metafunc.fixturenames:
        names = _kinds_of(metafunc.definition)
        metafunc.parametrize("kind", names, indirect=True, ids=names)
    if "chaos_seconds" in metafunc.fixturenames:
        total = metafunc.config.getoption("--chaos-seconds", None)
        total = (CHAOS_ALL if _is_whole(metafunc.config) else CHAOS_RUN) if total is None else total
        share = total / len(_kinds_of(metafunc.definition)) if _is_whole(metafunc.config) else total
        count = max(1, round(share / CHAOS_RUN))
        runs = [(first + n, share / count) for n in range(count)]
        ids = [f"seed-{seed}" for seed, _ in runs]
        metafunc.parametrize(("seed", "chaos_seconds"), runs, indirect=["seed"], ids=ids)
    elif "seed" in metafunc.fixturenames:
        count = int(metafunc.config.getoption("--seeds", 1))
        seeds = [first + n for n in range(count)]
        metafunc.parametrize("seed", seeds, indirect=True, ids=[f"seed-{seed}" for seed in seeds])


def _kinds_of(item: pytest.Item) -> Sequence[str]:
    mark = item.get_closest_marker("kinds")
    return mark.args if mark else USUAL if ROW.search(item.name) else [PYTHON]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is long, and what the worker's own tests hold and run anyway."""
    if _is_whole(config):
        return
    out = [item for item in items if HERE in item.path.parents and _is_extra(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in set(out)]


def _is_extra(item: pytest.Item) -> bool:
    borrowed = getattr(getattr(item, "function", None), "__module__", "").startswith("worker.")
    return borrowed or item.get_closest_marker("slow") is not None or not _is_quick(item)


def _is_quick(item: pytest.Item) -> bool:
    mark, call = item.get_closest_marker("kinds"), getattr(item, "callspec", None)
    kind = call.params.get("kind", PYTHON) if call else PYTHON
    return kind == PYTHON or (mark is not None and kind in mark.kwargs["quick"])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _is_whole(config):
        report = Report(first_seed(config))
        for outcome, reports in terminalreporter.stats.items():
            for one in reports:
                if isinstance(one, pytest.TestReport):
                    report.take(outcome, one)
        for line in report.lines():
            terminalreporter.write_line(line)


# What rows ask for


@pytest.fixture
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A borrowed test of the worker gets its own kind."""
    borrowed = request.function.__module__.startswith("worker.")
    return request.getfixturevalue("worker_ledger") if borrowed else Ledger(tmp_path / "ledger")


@pytest.fixture(autouse=True)
def seed(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> int:
    """This run's seed; it is in the table."""
    value: int = getattr(request, "param", 1)
    record_property("seed", value)
    return value


@pytest.fixture
def kind(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> str:
    """Which kind of workers this test has; it is in the table. Skips where there is no Node for it."""
    value: str = request.param
    record_property("kind", value)
    if value != PYTHON and why_not():
        pytest.skip(f"no Node worker: {why_not()}")
    return value


@pytest.fixture
def next_kind(kind: str, seed: int) -> Callable[[], type[Worker]]:
    return turns(kind, seed)


@pytest.fixture
def rng(seed: int, request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{seed} {request.function.__name__}")


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes what was measured; it is in the table."""

    def note(text: str) -> None:
        record_property("figure", text)
        print(text)

    return note


@pytest.fixture
def scene(world: World, redis_url: str, prefix: str, ledger: Ledger, start_worker: Any) -> Iterator[Scene]:
    with Doshit(redis_url, prefix=prefix) as app:
        yield Scene(world, app, ledger, start_worker)


@pytest.fixture
def start_line() -> Iterator[Callable[..., Line]]:
    """Puts a line before a URL: start_line(redis_url, late=0.02)."""
    with ExitStack() as stack:
        yield lambda url, **faults: stack.enter_context(Line(url, **faults))


@pytest.fixture
def own_server(start_server: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    """A server with a log on disk that the test may break. What it has acknowledged is in its log."""
    server = start_server(persist=True)
    with redis.Redis.from_url(server.url) as plain:
        # everysec may hold back what it has acknowledged for as long as a disk is slow; a row counts on every word.
        plain.config_set("appendfsync", "always")
    return server


@pytest.fixture
def make_scene(
    prefix: str, ledger: Ledger, tmp_path: Path, next_kind: Callable[[], type[Worker]]
) -> Iterator[Callable[..., Scene]]:
    """A scene on a server of the test's own: make_scene(url, workers_url=..., behind=["nsenter", ...]).

    workers_url: how workers reach it; behind: the words before a worker's command line. Both can be said for each
    worker too.
    """
    with ExitStack() as stack:
        logs = (tmp_path / f"own-worker-{n}.log" for n in range(1000))

        def make(url: str, workers_url: str | None = None, behind: Sequence[str] = ()) -> Scene:
            client = stack.enter_context(redis.Redis.from_url(url, protocol=2))
            app = stack.enter_context(Doshit(url, prefix=prefix))

            def start(*queues: str, children: int = 2, target: str = TASKS, ready: bool = True, **more: Any) -> Worker:
                words, place = more.pop("behind", behind), more.pop("url", workers_url or url)
                worker_kind = next_kind()
                words = [*words, *worker_kind.words(target, place, prefix, queues or ("default",), children, **more)]
                worker = worker_kind(next(logs), words)
                stack.callback(worker.end)
                if ready:
                    await_ready(worker, url, prefix)
                return worker

            return Scene(World(client, prefix), app, ledger, start)

        yield make
