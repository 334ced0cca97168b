"""`doshit failed`: the list for a person and a program, and what is run again or forgotten."""

import json

import pytest

from doshit.values.states import ErrorCode


@pytest.fixture
def fail(plain, prefix):
    """Writes a failed task as a worker leaves it."""

    def fail(id, at=1, queue="default", **fields):
        failed = {"state": "finished", "result": "failed", "error-code": "exception", "error-reason": "no", **fields}
        task = {"function": "add", "args": '{"a":1}', "queue": queue, "attempts": 2, **failed}
        plain.hset(f"{prefix}:task:{id}", mapping=task)
        plain.zadd(f"{prefix}:{queue}:failed", {id: at})
        plain.sadd(f"{prefix}:queues", queue)

    return fail


def test_nothing_failed_is_said(doshit):
    for args in (("failed",), ("failed", "list")):
        said = doshit(*args)
        assert (said.returncode, said.stdout) == (0, "no failed task\n")
    assert doshit("failed", "--code", "exited").stdout == "no failed task like that\n"
    assert json.loads(doshit("failed", "--json").stdout) == []


def test_a_person_sees_what_failed_the_newest_first(doshit, fail):
    fail("old", 1)
    fail("new", 2, queue="mail", **{"error-code": "time-limit", "error-reason": "x" * 500})
    header, first, second = doshit("failed").stdout.splitlines()
    assert header.split() == ["id", "queue", "function", "failed", "attempts", "code", "reason"]
    assert first.split()[:3] == ["new", "mail", "add"]
    assert first.endswith("time-limit  " + "x" * 77 + "...")
    assert second.split() == ["old", "default", "add", "-", "2", "exception", "no"]


def test_a_list_can_be_narrowed_and_says_when_it_is_cut(doshit, fail):
    for at in range(4):
        fail(f"t{at}", at, queue="mail" if at % 2 else "default")
    assert [task["id"] for task in json.loads(doshit("failed", "list", "-q", "mail", "--json").stdout)] == ["t3", "t1"]
    assert doshit("failed", "--limit", "3").stdout.endswith("\nthese are the newest 3; --limit shows more\n")
    assert "--limit shows more" not in doshit("failed", "--limit", "4").stdout


def test_a_program_gets_the_fields_of_the_protocol(doshit, fail):
    fail("one")
    (task,) = json.loads(doshit("failed", "--json").stdout)
    assert (task["id"], task["error-code"], task["args"], task["attempts"]) == ("one", "exception", {"a": 1}, "2")


def test_nothing_in_a_failed_task_can_act_on_the_terminal(doshit, fail):
    hostile = "\x1b[2J\u202e\n"
    fail("id" + hostile, function=hostile, **{"error-code": hostile, "error-reason": hostile})
    for form in ([], ["--json"]):
        said = doshit("failed", *form)
        assert said.returncode == 0
        assert said.stdout.replace("\n", "").isprintable()


def test_tasks_are_run_again_by_id(doshit, fail, plain, prefix):
    fail("one")
    doshit("submit", "add", "--id", "waits")
    said = doshit("failed", "retry", "one", "waits", "--json")
    assert said.returncode == 1
    assert json.loads(said.stdout) == [
        {"id": "one", "outcome": "requeued"},
        {"id": "waits", "outcome": "not-failed"},
    ]
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [b"one", b"waits"]


def test_all_that_are_like_so_are_run_again(doshit, fail, plain, prefix):
    fail("a", 1)
    fail("b", 2, queue="mail")
    fail("c", 3, queue="mail", function="send")
    assert (
        doshit("failed", "retry", "--all", "--function", "send", "-q", "mail").stdout
        == "1 failed task will run again\n"
    )
    assert json.loads(doshit("failed", "retry", "--all", "--json").stdout) == {"requeued": 2}
    assert plain.lrange(f"{prefix}:mail:pending", 0, -1) == [b"b", b"c"]


def test_tasks_are_forgotten_by_id_and_all(doshit, fail, plain, prefix):
    for id in ("a", "b", "c"):
        fail(id)
    assert doshit("failed", "drop", "a").stdout == "a  dropped\n"
    assert not plain.exists(f"{prefix}:task:a")
    assert doshit("failed", "drop", "a").returncode == 1
    assert doshit("failed", "drop", "--all").stdout == "2 failed tasks dropped\n"
    assert not plain.exists(f"{prefix}:default:failed")


def test_a_code_that_is_none_is_an_error_that_lists_them(doshit):
    said = doshit("failed", "--code", "timeout")
    assert said.returncode == 1
    assert all(code in said.stderr for code in ErrorCode)
