"""`doshit cancel`: tasks, a queue or a function, and what became of each."""

import json

import pytest


def test_each_task_is_answered_with_what_became_of_it(doshit, plain, prefix):
    doshit("submit", "add", "--id", "waits")
    plain.hset(
        f"{prefix}:task:runs", mapping={"function": "add", "state": "executing", "worker": "w", "claim": "w/1.1"}
    )
    plain.hset(f"{prefix}:task:over", mapping={"function": "add", "state": "finished", "result": "successful"})
    said = doshit("cancel", "waits", "runs", "over")
    assert (said.returncode, said.stderr) == (0, "")
    words = [line.split()[:2] for line in said.stdout.splitlines()]
    assert words == [["waits", "cancelled:"], ["runs", "asked:"], ["over", "finished:"]]
    assert plain.hget(f"{prefix}:task:waits", "error-code") == b"cancelled"


def test_a_task_that_is_not_there_ends_with_1_and_the_others_are_cancelled(doshit, plain, prefix):
    doshit("submit", "add", "--id", "waits")
    said = doshit("cancel", "never", "waits", "--json")
    assert said.returncode == 1
    assert json.loads(said.stdout) == [
        {"id": "never", "outcome": "unknown"},
        {"id": "waits", "outcome": "cancelled"},
    ]


@pytest.mark.parametrize(
    ("option", "field"), [(("-q", "mail"), "queue:mail"), (("--function", "send"), "function:send")]
)
def test_a_queue_or_a_function_is_cut_off(doshit, plain, prefix, option, field):
    said = doshit("cancel", *option, "--json")
    assert said.returncode == 0
    kind, _, name = field.partition(":")
    told = json.loads(said.stdout)
    assert told[kind] == name
    assert plain.hget(f"{prefix}:cutoffs", field).decode() == told["cut-off"]
    assert f"{kind} {name}: what was submitted until 20" in doshit("cancel", *option).stdout


def test_an_id_can_not_act_on_the_terminal(doshit):
    said = doshit("cancel", "\x1b[2J\u202e")
    assert said.stdout.replace("\n", "").isprintable()
