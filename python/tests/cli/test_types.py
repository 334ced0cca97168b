"""`doshit types`: what it writes compiles, refuses wrong calls, and holds nothing that a hostile entry put there."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.vectors import cases, entry_bytes
from doshit.cli.types import MARK, python, typescript
from doshit.cli.types.shapes import functions_of
from doshit.values.catalog import Entry

TSC = Path(__file__).parents[3] / "node" / "node_modules" / ".bin" / "tsc"
NEEDS_TSC = pytest.mark.skipif(not TSC.exists(), reason="there is no tsc: node/ is not installed")
TASKS = '''
import enum
from dataclasses import dataclass
from datetime import date
from typing import Literal
from doshit import Doshit

app = Doshit()

@dataclass
class Line:
    name: str
    parts: "list[Line] | None" = None

class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"

@app.task(queue="math")
def add(a: int, b: int = 2) -> int:
    """Adds. "Two" of */ them."""
    return a + b

@app.task
def paint(line: Line, color: Color | None, day: date, pair: tuple[int, str], how: Literal["thin", 1] = "thin") -> Line:
    return line

@app.task(name="mail.send")
def send(to, **more):
    return None

@app.task
def tick() -> None:
    return None
'''
USE_PY = """
from doshit import Doshit
from remote import AsyncRemote, Remote

remote = Remote(Doshit(), delay=1)
total: int = remote.add(a=1).result()
line = remote.paint(line={"name": "x", "parts": [{"name": "y"}]}, color="red", day="2020-01-01", pair=[1, "a"])
name: str = line.result()["name"]
remote.mail_send(to=1, subject="x")
remote.tick().result()

async def later() -> int:
    return await (await AsyncRemote(Doshit()).add(a=1, b=2)).aresult()
"""
WRONG_PY = [
    'remote.add(a="x")', "remote.add()", "remote.add(a=1, c=1)", "remote.add(1)", "remote.ad(a=1)",
    'remote.paint(line={"name": 1}, color=None, day="", pair=[])',
    'remote.paint(line={"name": ""}, color="green", day="", pair=[])', "Remote(Doshit(), dely=1)", "remote.tick(a=1)",
]  # fmt: skip
USE_TS = """
import type { Functions } from './functions.js';
declare function call<N extends keyof Functions>(name: N, args: Functions[N]['args']): Functions[N]['returns'];
const total: number = call('add', { a: 1 });
const line = { name: 'x', parts: [{ name: 'y' }] };
const name: string = call('paint', { line, color: 'red', day: '', pair: [1, 'a'] }).name;
call('mail.send', { to: 1, subject: 'x' });
call('tick', {});
export { total, name };
"""
WRONG_TS = [
    "call('add', { a: 'x' });", "call('add', {});", "call('add', { a: 1, c: 1 });", "call('ad', { a: 1 });",
    "call('paint', { line: { name: 1 }, color: null, day: '', pair: [1, ''] });",
    "call('paint', { line: { name: '' }, color: 'green', day: '', pair: [1, ''] });", "call('tick', { a: 1 });",
]  # fmt: skip


@pytest.fixture
def tasks(tmp_path):
    (tmp_path / "tasks.py").write_text(TASKS)
    return str(tmp_path / "tasks.py")


def _mypy(folder, files):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _tsc(folder, file):
    options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2023"]
    done = subprocess.run([TSC, *options, file], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:3000]


def _called(source):
    """The functions that some source calls by name."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {called.id for called in calls if isinstance(called, ast.Name)}


@pytest.mark.parametrize("out", ["remote.py", "remote.pyi"])
def test_mypy_takes_the_right_calls_and_refuses_each_wrong_one(doshit, tasks, tmp_path, out):
    done = doshit("types", "--py", str(tmp_path / out), "--from", tasks)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 functions" in done.stdout
    (tmp_path / "right.py").write_text(USE_PY)
    (tmp_path / "wrong.py").write_text(USE_PY + "\n".join(WRONG_PY) + "\n")
    right = _mypy(tmp_path, [out, "right.py"])
    assert right.returncode == 0, right.stdout
    first = USE_PY.count("\n") + 1
    wrong = {
        int(line.split(":")[1]) for line in _mypy(tmp_path, ["wrong.py"]).stdout.splitlines() if ": error:" in line
    }
    assert wrong == set(range(first, first + len(WRONG_PY)))


@NEEDS_TSC
def test_tsc_takes_the_right_calls_and_refuses_each_wrong_one(doshit, tasks, tmp_path):
    assert doshit("types", "--ts", str(tmp_path / "functions.d.ts"), "--from", tasks).returncode == 0
    (tmp_path / "right.ts").write_text(USE_TS)
    (tmp_path / "wrong.ts").write_text(USE_TS + "\n".join(WRONG_TS) + "\n")
    options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2023"]
    right = subprocess.run([TSC, *options, "right.ts"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert right.returncode == 0, right.stdout
    wrong = subprocess.run([TSC, *options, "wrong.ts"], cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = {
        int(line.split("(")[1].split(",")[0]) for line in wrong.stdout.splitlines() if line.startswith("wrong.ts(")
    }
    first = USE_TS.count("\n") + 1
    assert lines == set(range(first, first + len(WRONG_TS)))


def test_a_remote_enqueues_what_it_was_given_on_the_function_s_queue(doshit, tasks, tmp_path, redis_url, prefix, plain):
    from doshit import Doshit

    doshit("types", "--py", str(tmp_path / "remote.py"), "--from", tasks)
    space: dict[str, Any] = {"__name__": "remote"}
    exec((tmp_path / "remote.py").read_text(), space)
    with Doshit(redis_url, prefix=prefix) as app:
        handle = space["Remote"](app, username="ann").add(a=1)
        task = plain.hgetall(f"{prefix}:task:{handle.id}")
    assert (task[b"args"], task[b"queue"], task[b"username"]) == (b'{"a":1}', b"math", b"ann")


def test_types_come_from_live_workers_and_the_most_spoken_form_wins(doshit, plain, prefix, tmp_path):
    for worker, kind in (("w1", "string"), ("w2", "integer"), ("w3", "integer")):
        entry = {"parameters": {"type": "object", "properties": {"a": {"type": kind}}, "additionalProperties": False}}
        plain.hset(f"{prefix}:catalog:{kind}", "f", json.dumps(entry))
        plain.hset(f"{prefix}:worker:{worker}", "catalog", kind)
        plain.zadd(f"{prefix}:workers", {worker: int((time.time() + 60) * 1000)})
    done = doshit("types", "--ts", str(tmp_path / "f.d.ts"))
    assert '"f": { args: { "a"?: number }; returns: unknown };' in (tmp_path / "f.d.ts").read_text()
    assert "disagree on f" in done.stderr


def test_members_that_a_pattern_allows_may_be_given(doshit, plain, prefix, tmp_path):
    parameters = {"type": "object", "patternProperties": {"^x": {"type": "number"}}, "additionalProperties": False}
    plain.hset(f"{prefix}:catalog:c", "f", json.dumps({"parameters": parameters}))
    plain.hset(f"{prefix}:worker:w", "catalog", "c")
    plain.zadd(f"{prefix}:workers", {"w": int((time.time() + 60) * 1000)})
    doshit("types", "--ts", str(tmp_path / "f.d.ts"))
    assert "never" not in (tmp_path / "f.d.ts").read_text().partition('"f":')[2].partition("returns")[0]
    assert "  ...  " in doshit("functions").stdout


def test_a_file_of_somebody_else_is_left_alone(doshit, tasks, tmp_path):
    out = tmp_path / "mine.py"
    out.write_text("x = 1\n")
    refused = doshit("types", "--py", str(out), "--from", tasks)
    assert (refused.returncode, out.read_text()) == (2, "x = 1\n")
    assert "--force" in refused.stderr
    assert doshit("types", "--py", str(out), "--from", tasks, "--force").returncode == 0
    assert MARK in out.read_text()
    before = out.read_text()
    assert doshit("types", "--py", str(out), "--from", tasks).returncode == 0
    assert out.read_text() == before


@pytest.mark.parametrize("args", [(), ("--from", "nowhere.py", "--py", "x.py"), ("--py", "x.py")])
def test_what_cannot_be_written_is_one_line_that_says_why(doshit, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = doshit("types", *args)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.py").exists()


ENTRIES = [case for name, case in cases("values").items() if name.startswith("entries: ")]
HOSTILE = list(dict.fromkeys(case["function"] for case in ENTRIES))


@pytest.mark.parametrize("out", ["remote.py", "remote.pyi", pytest.param("remote.d.ts", marks=NEEDS_TSC)])
def test_each_hostile_entry_of_the_vectors_becomes_a_file_that_compiles(doshit, plain, prefix, tmp_path, out):
    live = {}
    for number, case in enumerate(ENTRIES):
        # Each in a catalog of its own: several are entries of one function.
        plain.hset(f"{prefix}:catalog:{number}", case["function"], entry_bytes(case))
        plain.hset(f"{prefix}:worker:{number}", "catalog", number)
        live[str(number)] = int((time.time() + 60) * 1000)
    plain.zadd(f"{prefix}:workers", live)
    done = doshit("types", "--ts" if out.endswith(".ts") else "--py", str(tmp_path / out))
    assert done.returncode == 0, done.stderr
    assert f"{len(HOSTILE) - 1} functions" in done.stdout  # no source could call the one whose name is empty
    source = (tmp_path / out).read_text()
    assert all(mark.isprintable() or mark == "\n" for mark in source)
    if out.endswith(".ts"):
        _tsc(tmp_path, out)
    else:
        assert _called(source) <= {"TypedDict"}


def _hostile():
    entries = {}
    for name in HOSTILE:
        evil = {"type": "object", "properties": {each: {"enum": HOSTILE} for each in HOSTILE}, "required": HOSTILE}
        one = {
            "type": "object",
            "properties": {name: {"$ref": "#/$defs/" + name.replace("~", "")}},
            "$defs": {name: evil},
        }
        entries[name] = Entry(
            parameters=one, returns=evil, doc=name * 3 + "\n" + name, queue=name, defaults={name: name}
        )
    return functions_of(entries)


@pytest.mark.parametrize("writer", [python.source, python.stub])
def test_a_hostile_catalog_makes_python_that_holds_no_code_of_its_own(writer):
    source = writer(_hostile(), MARK)
    assert source.isascii() or all(ch.isprintable() or ch == "\n" for ch in source)
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert _called(source) == {"TypedDict"}
    assert not names & {"evil", "print"}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    assert set(classes) == {"Remote", "AsyncRemote"}
    methods = [node.name for node in classes["Remote"].body if isinstance(node, ast.FunctionDef)]
    assert len(methods) == len(set(methods)) == len(HOSTILE) - 1 + (2 if writer is python.source else 1)


def test_a_hostile_catalog_makes_python_that_mypy_and_the_interpreter_take(tmp_path):
    (tmp_path / "remote.py").write_text(python.source(_hostile(), MARK))
    exec(compile((tmp_path / "remote.py").read_text(), "remote.py", "exec"), {"__name__": "remote"})
    done = _mypy(tmp_path, ["remote.py"])
    assert done.returncode == 0, done.stdout[:3000]


@NEEDS_TSC
def test_a_hostile_catalog_makes_typescript_that_compiles(tmp_path):
    source = typescript.source(_hostile(), MARK)
    assert all(ch.isprintable() or ch == "\n" for ch in source)
    (tmp_path / "functions.d.ts").write_text(source)
    _tsc(tmp_path, "functions.d.ts")


def test_schemas_without_end_make_types_with_one():
    wide = {"$ref": "#/$defs/0", "$defs": {str(at): {"anyOf": [{"$ref": f"#/$defs/{at + 1}"}] * 2} for at in range(40)}}
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    for schema in (wide, deep, {"$ref": "#"}, {"properties": {"a": {"$ref": "#"}}}, {"anyOf": [{"$ref": "#"}]}):
        functions = functions_of({"f": Entry(parameters={"properties": {"x": schema}}, returns=schema)})
        assert len(python.source(functions, MARK)) + len(typescript.source(functions, MARK)) < 200_000


def test_the_same_catalog_makes_the_same_source():
    assert python.source(_hostile(), MARK) == python.source(list(reversed(_hostile()))[::-1], MARK)
    entries = {"b": Entry(), "a": Entry()}
    assert typescript.source(functions_of(entries), MARK) == typescript.source(
        functions_of(dict(reversed(entries.items()))), MARK
    )
