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


TOLD_AT = "2026-01-02T03:04:05.250000Z"


def test_limits_retries_and_use_of_a_task_are_shown(doshit, plain, prefix):
    failures = [{"attempt": 1, "at": TOLD_AT, "code": "time-limit", "reason": "over 5 s"}]
    used = {"cpu-time": "1.5", "memory-peak": "12500000", "output": "120", "retried": "1"}
    progress = json.dumps({"fraction": 0.4, "text": "rows read", "at": TOLD_AT})
    plain.hset(
        f"{prefix}:task:t1", mapping={**FINISHED, **used, "failures": json.dumps(failures), "progress": progress}
    )
    out = doshit("show", "t1").stdout
    for line in (
        "retried   1",
        "progress  40%  rows read",
        "cpu time  1.5 s",
        "memory    12.5 MB at most",
        "output    120 bytes; --follow prints it",
        "run 1     time-limit: over 5 s",
    ):
        assert line in out.splitlines()
    shown = json.loads(doshit("show", "t1", "--json").stdout)
    assert (shown["progress"]["fraction"], shown["failures"]) == (0.4, failures)


def test_a_task_is_followed_until_its_end(start_doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", mapping={"function": "add", "state": "executing"})
    plain.xadd(f"{prefix}:log:t1", {"s": "stdout", "t": TOLD_AT, "m": "one\ntwo\x1b[2J\n"})
    process = start_doshit("show", "t1", "--follow")
    assert process.stdout.readline() == "03:04:05.250  stdout    one\n"
    assert process.stdout.readline() == "03:04:05.250  stdout    two\\x1b[2J\n"
    progress = json.dumps({"fraction": 0.4, "text": "rows read", "at": TOLD_AT})
    plain.hset(f"{prefix}:task:t1", "progress", progress)
    assert process.stdout.readline() == "03:04:05.250  progress  40%  rows read\n"
    plain.xadd(f"{prefix}:log:t1", {"s": "log", "t": TOLD_AT, "m": "last"})
    plain.hset(f"{prefix}:task:t1", mapping=FINISHED)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("03:04:05.250  log       last\n")
    assert "state     finished, successful" in out


def test_a_program_follows_by_lines_of_json_and_the_last_is_the_task(doshit, plain, prefix):
    failed = {"result": "failed", "error-code": "exited", "error-reason": "signal 9"}
    plain.hset(f"{prefix}:task:t1", mapping={"function": "add", "state": "finished", **failed})
    for at in range(1001):
        plain.xadd(f"{prefix}:log:t1", {"s": "stdout", "t": TOLD_AT, "m": str(at)})
    said = doshit("show", "t1", "-f", "--json")
    assert said.returncode == 1
    *told, task = [json.loads(line) for line in said.stdout.splitlines()]
    assert [line["text"] for line in told] == [str(at) for at in range(1001)]
    assert told[0] == {"stream": "stdout", "at": TOLD_AT, "text": "0"}
    assert (task["id"], task["error-code"]) == ("t1", "exited")


def test_a_task_that_is_submitted_anew_is_followed_from_its_beginning(start_doshit, plain, prefix):
    plain.hset(f"{prefix}:task:t1", mapping={"function": "add", "state": "executing", "pending-created": "earlier"})
    plain.xadd(f"{prefix}:log:t1", {"s": "stdout", "t": TOLD_AT, "m": "first"}, id="100-0")
    process = start_doshit("show", "t1", "-f")
    assert process.stdout.readline().endswith("first\n")
    with plain.pipeline() as anew:
        anew.delete(f"{prefix}:log:t1")
        anew.xadd(f"{prefix}:log:t1", {"s": "stdout", "t": TOLD_AT, "m": "second"}, id="50-0")
        anew.hset(f"{prefix}:task:t1", "pending-created", "later")
        anew.execute()
    assert process.stdout.readline().endswith("second\n")
    plain.delete(f"{prefix}:task:t1")
    _, err = process.communicate()
    assert (process.returncode, "t1 is not in Redis" in err) == (1, True)
