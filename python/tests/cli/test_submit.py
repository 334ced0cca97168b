"""`doshit submit`: what it puts into Redis, and what it prints when it waits. A foreign worker plays the other side."""

import json
import signal

import pytest


def finish(plain, prefix, **fields):
    """Does what any worker does, with plain commands: takes the next task and writes its end."""
    _, id = plain.brpop(f"{prefix}:default:pending")
    key = f"{prefix}:task:{id.decode()}"
    plain.hset(key, mapping={"state": "finished", **{name.replace("_", "-"): value for name, value in fields.items()}})
    plain.publish(f"{prefix}:results", key)
    reply_to = plain.hget(key, "reply-to")
    if reply_to:
        plain.publish(reply_to, key)
    return id.decode()


def test_the_id_is_printed_and_the_task_is_pending(doshit, plain, prefix):
    said = doshit("submit", "add", "a=1", "b=two", "-q", "math")
    assert said.returncode == 0
    id = said.stdout.rstrip("\n")
    assert plain.lrange(f"{prefix}:math:pending", 0, -1) == [id.encode()]
    task = plain.hgetall(f"{prefix}:task:{id}")
    assert (task[b"function"], task[b"state"]) == (b"add", b"pending")
    assert json.loads(task[b"args"]) == {"a": 1, "b": "two"}


def test_options_may_stand_between_arguments(doshit, plain, prefix):
    doshit("submit", "-q", "math", "add", "--id", "one", "a=1", "--json", "b=2")
    assert json.loads(plain.hget(f"{prefix}:task:one", "args")) == {"a": 1, "b": 2}
    assert plain.llen(f"{prefix}:math:pending") == 1


def test_the_same_id_again_is_the_same_task(doshit, plain, prefix):
    for _ in range(2):
        assert doshit("submit", "add", "a=1", "--id", "order-7").stdout == "order-7\n"
    assert plain.llen(f"{prefix}:default:pending") == 1


def test_the_id_of_another_task_is_an_error(doshit):
    doshit("submit", "add", "a=1", "--id", "order-7")
    said = doshit("submit", "add", "a=2", "--id", "order-7")
    assert said.returncode == 1
    assert "order-7" in said.stderr


def test_a_text_that_is_json_by_accident_is_refused_with_how_to_write_it(doshit, plain, prefix):
    catalog = {"parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}
    plain.hset(f"{prefix}:catalog:c", "echo", json.dumps(catalog))
    plain.hset(f"{prefix}:worker:w1", mapping={"catalog": "c", "queues": "default"})
    plain.zadd(f"{prefix}:workers", {"w1": (plain.time()[0] + 60) * 1000})
    said = doshit("submit", "echo", "text=5")
    assert said.returncode == 1
    assert said.stderr.endswith("expected string, got number; for the text write 'text=\"5\"'\n")
    assert doshit("submit", "echo", 'text="5"', "--id", "it").returncode == 0
    assert json.loads(plain.hget(f"{prefix}:task:it", "args")) == {"text": "5"}


def test_the_machine_form_of_a_submitted_task_is_its_id(doshit):
    assert json.loads(doshit("submit", "add", "--id", "x", "--json").stdout) == {"id": "x"}


@pytest.mark.parametrize("raw", ["null", "0", "false", '""', "[]", "{}", "3", '"ooh yeeah"', '{"a": [1.5]}'])
def test_a_result_is_printed_as_the_json_it_is(start_doshit, plain, prefix, raw):
    process = start_doshit("submit", "echo", "--wait", "30")
    finish(plain, prefix, result="successful", result_value=raw)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out == raw + "\n"


def test_a_failure_is_one_line_then_its_traceback_and_exit_code_1(start_doshit, plain, prefix):
    process = start_doshit("submit", "echo", "--wait")
    trace = 'Traceback (most recent call last):\n  File "tasks.py", line 1\x1b[2J\nValueError: no\n'
    id = finish(
        plain, prefix, result="failed", error_code="exception", error_reason="ValueError: no", error_exception=trace
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    first, *rest = err.splitlines()
    assert first == f"doshit: task {id} failed (exception): ValueError: no"
    assert rest == ["Traceback (most recent call last):", '  File "tasks.py", line 1\\x1b[2J', "ValueError: no"]


def test_the_machine_form_of_an_end_has_the_names_of_the_protocol(start_doshit, plain, prefix):
    process = start_doshit("submit", "echo", "--wait", "--json")
    id = finish(plain, prefix, result="failed", error_code="exited", error_reason="exit status 3")
    out, _ = process.communicate()
    assert process.returncode == 1
    assert json.loads(out) == {
        "id": id, "state": "finished", "result": "failed", "error-code": "exited", "error-reason": "exit status 3",
        "error-exception": "",
    }  # fmt: skip


def test_waiting_ends_when_the_time_is_over_and_the_task_goes_on(doshit, plain, prefix):
    said = doshit("submit", "echo", "--id", "slow", "--wait", "0.1")
    assert (said.returncode, said.stdout) == (1, "")
    assert "slow has not ended within 0.1 s" in said.stderr
    assert plain.hget(f"{prefix}:task:slow", "state") == b"pending"


def test_ctrl_c_is_quiet(start_doshit, plain, prefix):
    process = start_doshit("submit", "echo", "--wait")
    plain.brpop(f"{prefix}:default:pending")
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == 130
