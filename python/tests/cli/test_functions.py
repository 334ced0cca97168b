"""`doshit functions`, and what `doshit status` says where live workers disagree."""

import json
import time

import pytest

ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.fixture
def serve(plain, prefix):
    def serve(worker="w1", name="add", **entry):
        plain.hset(f"{prefix}:catalog:{worker}", name, json.dumps(entry))
        plain.hset(f"{prefix}:worker:{worker}", mapping={"catalog": worker, "queues": "default"})
        plain.zadd(f"{prefix}:workers", {worker: int((time.time() + 60) * 1000)})

    return serve


def test_functions_are_listed_with_what_a_caller_needs(doshit, serve):
    serve(parameters=ADD, doc="Adds.\nTwo.", defaults={"b": 2}, language="python", queue="math")
    serve("w2", parameters=ADD, doc="Adds.\nTwo.", defaults={"b": 2}, language="python", queue="math")
    done = doshit("functions")
    assert done.returncode == 0
    head, row = done.stdout.splitlines()
    assert head.split() == ["function", "queue", "language", "parameters", "doc", "workers"]
    for cell in ("add", "math", "python", "a: integer, b: integer = 2, c?", "Adds.", "w1 +1"):
        assert cell in row


def test_the_list_is_there_for_programs_too(doshit, serve):
    serve(parameters=ADD, returns={"type": "integer"}, doc="Adds.", language="node")
    [row] = json.loads(doshit("functions", "--json").stdout)
    assert row == {
        "function": "add", "queue": "", "language": "node", "parameters": ADD, "returns": {"type": "integer"},
        "doc": "Adds.", "defaults": {}, "workers": ["w1"], "disagrees": False,
    }  # fmt: skip


def test_without_a_worker_it_says_how_to_start_one(doshit):
    assert "doshit worker tasks.py" in doshit("functions").stdout
    assert json.loads(doshit("functions", "--json").stdout) == []


def test_two_signatures_are_two_lines_and_a_warning_in_functions_and_in_status(doshit, serve):
    serve(parameters=ADD)
    serve("w2", parameters={"type": "object"})
    listed, status = doshit("functions").stdout, doshit("status").stdout
    assert listed.count("\nadd ") == 2
    for text in (listed, status):
        assert "warning: live workers disagree on add: it has 2 signatures" in text
    assert json.loads(doshit("status", "--json").stdout)["signatures_differ"] == {"add": 2}


def test_another_doc_or_title_is_no_disagreement(doshit, serve):
    serve(parameters=ADD, doc="Adds.")
    serve("w2", parameters={**ADD, "title": "Add"}, doc="Adds two.")
    assert "disagree" not in doshit("functions").stdout + doshit("status").stdout


def test_whatever_stands_in_redis_is_shown_as_text_that_moves_no_cursor(doshit, serve, plain, prefix):
    serve(name="\x1b[2J\n", parameters={"properties": 5, "required": 1}, doc="a\x1b[1mb", language=["x"], defaults=7)
    plain.hset(f"{prefix}:catalog:w1", b"\xff", b"\xff")
    plain.hset(f"{prefix}:catalog:w1", "huge", b'{"doc":"' + b"a" * 300_000 + b'"}')
    done = doshit("functions")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\\x1b[2J" in done.stdout
    assert len(json.loads(doshit("functions", "--json").stdout)) == 3
