"""Every file of examples/ prints what it says that it prints, with a worker as its head tells to start one.

Also: the typed clients that `doshit types` writes from these workers are the ones that lie there, compile under the
strictest settings, and wrong calls in them are refused.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NODE = ROOT / "node"
DOSHIT = (sys.executable, "-m", "doshit.cli.main")
PATIENCE = 60.0

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the examples in which Node finds the package that was built here."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    packages = tmp_path / "examples" / "node" / "node_modules"
    packages.mkdir()
    for name, target in (("doshit", NODE), ("redis", NODE / "node_modules" / "redis")):
        (packages / name).symlink_to(target)
    return tmp_path / "examples"


@pytest.fixture
def environment(url: str, prefix: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOSHIT_", "REDIS_"))}
    return {**kept, "DOSHIT_REDIS": url, "DOSHIT_APP_PREFIX": prefix, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def run(folder: Path, environment: dict[str, str]) -> Run:
    """run("node", "wait.js"): ends by itself."""

    def run(*command: object) -> "subprocess.CompletedProcess[str]":
        words = list(map(str, command))
        cwd = folder / ("node" if words[0] == "node" or words[-1].endswith(".d.ts") else "python")
        return subprocess.run(
            words,
            cwd=cwd,
            env=environment,
            check=False,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )

    return run


@pytest.fixture
def start(folder: Path, environment: dict[str, str], plain: Any, prefix: str) -> Iterator[Start]:
    """start("node", "words.js"): a worker, which serves when this returns, and ends well with the test."""
    with ExitStack() as stack:

        def start(*command: object) -> None:
            words = list(map(str, command))
            cwd = folder / ("node" if words[0] == "node" else "python")
            before = plain.zcard(f"{prefix}:workers")
            process = subprocess.Popen(words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)
            stack.callback(_end, process)
            deadline = time.monotonic() + PATIENCE
            while plain.zcard(f"{prefix}:workers") == before:
                assert process.poll() is None and time.monotonic() < deadline, f"{words} does not serve"
                time.sleep(0.02)

        yield start


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def promised(path: Path) -> str:
    """What the head of an example says that it prints."""
    head = re.split(r'^ \*/$|^"""$', path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    lines = [re.sub(r"^ \* ?", "", line) for line in head.splitlines()]
    printed = lines[lines.index("prints") + 1 :]
    return "".join(f"{line.removeprefix('    ')}\n" for line in printed if line)


def check(done: "subprocess.CompletedProcess[str]", path: Path) -> None:
    assert (done.stdout, done.returncode) == (promised(path), 0), done.stderr


def test_every_example_is_run_here() -> None:
    alone = {path.name for path in EXAMPLES.glob("*/*") if path.suffix in (".py", ".js")}
    assert alone == {*PYTHON, *NODE_ALONE, *TOGETHER}


PYTHON = ["plain_commands.py", "wait.py", "retries.py", "watch.py", "cancel.py", "schedule.py", "limits.py"]
NODE_ALONE = ["plain-commands.js", "wait.js", "retries.js", "watch.js", "cancel.js", "schedule.js"]
TOGETHER = ["shop.py", "call-python.js", "words.js", "call_node.py", "node_functions.py"]
TOGETHER += ["limits-tasks.js", "limits.js"]


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_example_prints_what_it_says(name: str, run: Run, start: Start) -> None:
    start(*DOSHIT, "worker", name, "-c", "2")
    check(run(sys.executable, name), EXAMPLES / "python" / name)


@pytest.mark.parametrize("name", NODE_ALONE)
def test_a_node_example_prints_what_it_says(name: str, run: Run) -> None:
    check(run("node", name), EXAMPLES / "node" / name)


@pytest.mark.skipif(not (NODE / "dist" / "cli" / "main.js").exists(), reason="the Node package has no command line yet")
def test_an_isolated_run_is_ended_as_its_example_says(run: Run, start: Start) -> None:
    start("node", NODE / "dist" / "cli" / "main.js", "worker", "limits-tasks.js")
    check(run("node", "limits.js"), EXAMPLES / "node" / "limits.js")


def test_python_calls_node_by_a_typed_client_that_is_the_one_here(run: Run, start: Start, folder: Path) -> None:
    start("node", "words.js")
    written = run(*DOSHIT, "types", "--force", "--py", "node_functions.py")
    assert written.returncode == 0, written.stderr
    assert (folder / "python" / "node_functions.py").read_text() == (
        EXAMPLES / "python" / "node_functions.py"
    ).read_text(), "examples/python/node_functions.py is old: write it again as examples/README.md says"
    check(run(sys.executable, "call_node.py"), EXAMPLES / "python" / "call_node.py")


def test_node_calls_python_by_types_that_are_the_ones_here(run: Run, start: Start, folder: Path) -> None:
    start(*DOSHIT, "worker", "shop.py", "-c", "1")
    written = run(*DOSHIT, "types", "--force", "--ts", "python-functions.d.ts")
    assert written.returncode == 0, written.stderr
    assert (folder / "node" / "python-functions.d.ts").read_text() == (
        EXAMPLES / "node" / "python-functions.d.ts"
    ).read_text(), "examples/node/python-functions.d.ts is old: write it again as examples/README.md says"
    check(run("node", "call-python.js"), EXAMPLES / "node" / "call-python.js")


WRONG_PYTHON = [
    "remote.slug(text=7)",
    "remote.slug()",
    'remote.slug("a")',
    'remote.slug(text="a", more=1)',
    'remote.slugs(text="a")',
    'words: str = remote.count_words(text="a").result()',
]


def test_mypy_takes_the_python_examples_and_refuses_each_wrong_call(folder: Path) -> None:
    wrong = folder / "python" / "wrong.py"
    head = "from doshit import Doshit\nfrom node_functions import Remote\n\nremote = Remote(Doshit())\n"
    wrong.write_text(head + "\n".join(WRONG_PYTHON) + "\n")
    files = sorted(path.name for path in (folder / "python").glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", folder / "cache"]
    done = subprocess.run(
        [*map(str, command), *files], cwd=folder / "python", check=False, capture_output=True, text=True
    )
    refused = re.findall(r"^(\S+):(\d+): error:", done.stdout, re.MULTILINE)
    assert set(refused) == {("wrong.py", str(5 + at)) for at in range(len(WRONG_PYTHON))}, done.stdout + done.stderr


WRONG_NODE = [
    "await doshit.enqueue('price', { lines: [{ item: 7 }] });",
    "await doshit.enqueue('price', { lines: 'tea' });",
    "await doshit.enqueue('price', { lines: [], currency: 'GBP' });",
    "await doshit.enqueue('price');",
    "await doshit.enqueue('prices', { lines: [] });",
    "const text: string = await (await doshit.enqueue('price', { lines: [] })).result();",
]


def test_tsc_takes_the_typed_node_example_and_refuses_each_wrong_call(folder: Path) -> None:
    head = "import { Doshit } from 'doshit';\nimport type { Functions } from './python-functions.js';\n"
    head += "const doshit = new Doshit<Functions>();\nexport {};\n"
    (folder / "node" / "wrong.ts").write_text(head + "\n".join(WRONG_NODE) + "\n")
    options = ["--strict", "--noEmit", "--checkJs", "--allowJs", "--target", "es2022", "--module", "nodenext"]
    options += ["--types", "node", "--typeRoots", str(NODE / "node_modules" / "@types"), "--skipLibCheck", "false"]
    tsc = NODE / "node_modules" / ".bin" / "tsc"
    done = subprocess.run(
        [tsc, *options, "call-python.js", "python-functions.d.ts", "wrong.ts"],
        cwd=folder / "node",
        check=False,
        capture_output=True,
        text=True,
    )
    refused = re.findall(r"^(\S+)\((\d+),\d+\): error", done.stdout, re.MULTILINE)
    assert set(refused) == {("wrong.ts", str(5 + at)) for at in range(len(WRONG_NODE))}, done.stdout + done.stderr
