"""The programs of docs/node.md and of README.md for Node run, and print what stands behind their lines."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from doshit import Doshit
from test_examples import NODE, Run, environment, folder, run

__all__ = ["environment", "folder", "run"]

ROOT = Path(__file__).parents[1]
PAGES = ("docs/node.md", "README.md")
BLOCK = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {
    f"{page} {number}": text for page in PAGES for number, text in enumerate(BLOCK.findall((ROOT / page).read_text()))
}
PROGRAMS = {name: text for name, text in BLOCKS.items() if "new Doshit(" in text}


def printed(program: str) -> list[str]:
    """What a program says that it prints: `console.log(...); // this`."""
    return re.findall(r"console\.log\(.*\); // (.*)$", program, re.MULTILINE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_its_lines_say(name: str, run: Run, folder: Path) -> None:
    (folder / "node" / "program.mjs").write_text(PROGRAMS[name])
    done = run("node", "program.mjs")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line in printed(PROGRAMS[name])] == printed(PROGRAMS[name]), done.stdout


def test_the_file_of_functions_is_served(folder: Path, environment: dict[str, str], url: str, prefix: str) -> None:
    (tasks,) = set(BLOCKS.values()) - set(PROGRAMS.values())
    (folder / "node" / "tasks.mjs").write_text(tasks)
    with Doshit(url, prefix=prefix) as app:
        handles: list[Any] = [app.enqueue("add", {"a": 1, "b": 2}), app.enqueue("render", {"page": "one"})]
        command = ["node", str(NODE / "dist" / "cli" / "main.js"), "worker", "tasks.mjs", "--burst"]
        subprocess.run(command, cwd=folder / "node", env=environment, check=True, timeout=60)
        assert [handle.result(10) for handle in handles] == [3, "<h1>one</h1>"]
