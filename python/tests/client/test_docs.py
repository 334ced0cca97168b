"""docs/tasks.md: its Python runs, its command lines can be read. No worker runs here, so nothing waits for a result."""

import re
import shlex
from pathlib import Path

import pytest

import doshit
from doshit.cli.parser import parse

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_snippet_of_python_runs_in_the_order_of_the_page(monkeypatch, redis_url, prefix, capsys):
    with doshit.Doshit(redis_url, prefix=prefix) as app:
        monkeypatch.setattr(doshit, "task", app.task)
        monkeypatch.setattr(doshit, "default_app", app)
        space: dict[str, object] = {"__name__": "tasks"}
        for block in blocks("python"):
            exec(compile(block, "docs/tasks.md", "exec"), space)
    assert {"resize", "report", "send_letter", "sync_user", "import_rows", "crawl", "long_work"} <= set(app.registry)
    assert capsys.readouterr().out.startswith("cancelled\n")
    assert app.registry["crawl"](["a", "b"]) == ["a", "b"]
    assert app.registry["long_work"](3) == "called as a plain function"


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_every_command_line_can_be_read(line):
    program, *args = shlex.split(line)
    if program == "doshit":
        parse(args)
    else:
        assert program == "redis-cli"
