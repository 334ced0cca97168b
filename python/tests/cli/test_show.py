"""`doshit show`: one task, for a person and for a program, whatever stands in its hash."""

import json

FINISHED = {
    "function": "add", "state": "finished", "args": '{"a": 1,\n "b": 2}', "queue": "math", "attempts": "1",
    "pending-created": "2026-01-02T03:04:05.000000Z", "executing-created": "2026-01-02T03:04:06.500000Z",
    "finished-created": "2026-01-02T03:04:06.504000Z", "result": "successful", "result-value": "3",
}  # fmt: skip


def facts(said):
    return dict(line.split(maxsplit=1) for line in said.stdout.splitlines() if line[:1].strip() and " " in line)


def test_a_person_sees_what_ran_when_and_how_it_ended(doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", mapping=FINISHED)
    plain.expire(f"{prefix}:task:t1", 86400)
    said = doshit("show", "t1")
    assert (said.returncode, said.stderr) == (0, "")
    shown = facts(said)
    assert (shown["state"], shown["function"], shown["args"]) == ("finished, successful", "add", '{"a": 1, "b": 2}')
    assert shown["started"] == "2026-01-02T03:04:06.500000Z  1.5 s later"
    assert shown["finished"] == "2026-01-02T03:04:06.504000Z  4 ms later"
    assert shown["result"] == "3"
    assert "kept for  24 h" in said.stdout


def test_a_program_gets_the_fields_of_the_protocol_with_json_as_json(doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", mapping={**FINISHED, "result-value": "null"})
    shown = json.loads(doshit("show", "t1", "--json").stdout)
    assert shown == {"id": "t1", **FINISHED, "args": {"a": 1, "b": 2}, "result-value": None}


def test_a_failure_is_shown_with_its_traceback(doshit, plain, prefix):
    failed = {
        "result": "failed",
        "error-code": "exception",
        "error-reason": "ValueError: no",
        "error-exception": "Trace\n  at x\n",
    }
    plain.hset(f"{prefix}:task:t1", mapping={"function": "add", "state": "finished", **failed})
    said = doshit("show", "t1")
    assert facts(said)["error"] == "exception: ValueError: no"
    assert said.stdout.endswith("\n\nTrace\n  at x\n")


def test_nothing_in_a_hash_can_act_on_the_terminal(doshit, plain, prefix):
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e\n"
    spoilt = {
        "function": hostile,
        "state": hostile,
        "args": hostile,
        "queue": hostile,
        "result": "failed",
        "worker": b"\xff\x1b",
    }
    errors = {
        "error-code": hostile,
        "error-reason": hostile,
        "error-exception": hostile * 2,
        "pending-created": hostile,
    }
    plain.hset(f"{prefix}:task:t1", mapping={**spoilt, **errors})
    for form in ([], ["--json"]):
        said = doshit("show", "t1", *form)
        assert said.returncode == 0
        assert said.stdout.replace("\n", "").isprintable()


def test_a_hash_that_is_only_begun_can_be_shown(doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", "args", "not json")
    said = doshit("show", "t1")
    assert said.returncode == 0
    assert (facts(said)["state"], facts(said)["args"]) == ("pending", "not json")


def test_a_long_result_is_cut_for_a_person_and_whole_for_a_program(doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", mapping={**FINISHED, "result-value": json.dumps("x" * 5000)})
    assert "5002 characters, --json shows all" in doshit("show", "t1").stdout
    assert json.loads(doshit("show", "t1", "--json").stdout)["result-value"] == "x" * 5000


def test_an_id_that_is_not_utf_8_can_be_shown(doshit, plain, prefix):
    plain.hset(f"{prefix}:task:".encode() + b"\xff\xfe", "function", "add")
    said = doshit("show", "\udcff\udcfe")
    assert (said.returncode, facts(said)["id"]) == (0, "\\udcff\\udcfe")


def test_a_key_of_another_type_is_an_error_of_one_line(doshit, plain, prefix):
    plain.set(f"{prefix}:task:t1", "text")
    said = doshit("show", "t1")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "another program uses this key" in said.stderr
