"""The command of the Python package sees a Node worker as it sees its own, and both in one catalog."""

import json

import pytest

from clients import until
from doshit import BadArguments, Doshit
from workers import OURS


def test_whoever_looks_with_the_python_command_sees_what_a_node_worker_serves_and_runs(
    start_worker, doshit, plain, prefix
):
    start_worker("node")
    listed = doshit("functions").stdout
    assert "only_node      default  node      n: integer       Twice the number, and who says so." in listed
    assert doshit("submit", "only_node", "n=4", "--wait").stdout == '["node", 8]\n'
    doshit("submit", "nap", "seconds=60", "--id", "long")
    until(lambda: plain.hget(f"{prefix}:task:long", "state") == "executing", "it runs")
    status = doshit("status").stdout
    [worker] = plain.zrange(f"{prefix}:workers", 0, -1)
    assert worker in status
    assert "  node " in status
    assert "  nap " in status
    assert doshit("status", "--check").returncode == 0
    assert "asked: it runs" in doshit("cancel", "long").stdout
    until(lambda: plain.hget(f"{prefix}:task:long", "state") == "finished", "its run is ended")
    shown = doshit("show", "long").stdout
    for words in ("finished, failed", "cancelled: ", f"worker    {worker}", '{"seconds": 60}'):
        assert words in shown


def test_a_wrong_call_is_refused_by_what_a_node_worker_says_of_its_function(start_worker, doshit, plain, prefix):
    start_worker("node")
    refused = doshit("submit", "only_node", "n=four")
    assert (refused.returncode, refused.stderr) == (1, "doshit: only_node: args.n: expected integer, got string\n")
    assert not plain.exists(f"{prefix}:default:pending")


def test_a_failure_of_a_node_worker_is_listed_shown_with_its_stack_and_run_again(start_worker, doshit, plain, prefix):
    start_worker("node")
    told = doshit("submit", "fail", "message=out of paper", "--id", "bad", "--wait")
    assert told.returncode == 1
    assert "(exception): Error: out of paper" in told.stderr
    assert "out of paper" in doshit("failed").stdout
    assert "tasks.mjs:" in doshit("show", "bad").stdout
    assert "requeued" in doshit("failed", "retry", "bad").stdout
    until(
        lambda: plain.hget(f"{prefix}:task:bad", "attempts") == "1" and plain.zcard(f"{prefix}:default:failed"), "again"
    )
    assert "dropped" in doshit("failed", "drop", "bad").stdout
    assert not plain.exists(f"{prefix}:task:bad")


def test_doctor_finds_nothing_wrong_with_a_fleet_of_both_languages(start_worker, doshit):
    for kind in OURS:
        start_worker(kind)
    found = json.loads(doshit("doctor", "--json").stdout)
    # The server of the tests keeps nothing on disk, and doctor says so.
    assert [one["code"] for one in found["findings"]] == ["persistence"]


def test_one_signature_in_two_languages_is_one(start_worker, doshit):
    for kind in OURS:
        start_worker(kind)
    served = json.loads(doshit("functions", "--json").stdout)
    both = {one["function"]: len(one["workers"]) for one in served if not one["function"].startswith("only_")}
    assert both == dict.fromkeys(("echo", "fail", "language", "nap"), 2)
    assert json.loads(doshit("status", "--json").stdout)["signatures_differ"] == {}


@pytest.fixture
def disagreeing(start_worker, tmp_path):
    """A Python worker whose echo takes `value`, and one of Node whose echo takes `text`."""
    (tmp_path / "other.mjs").write_text(
        "const schema = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'],\n"
        "  additionalProperties: false };\n"
        "export default { echo: { schema, handler: ({ text }) => text } };\n"
    )
    start_worker("python")
    start_worker("node", "--concurrency", "2", target=tmp_path / "other.mjs")


def test_two_signatures_are_both_kept_and_told_by_functions_status_and_doctor(disagreeing, doshit):
    warning = "live workers disagree on echo: it has 2 signatures"
    assert warning in doshit("status").stdout
    listed = doshit("functions").stdout
    assert warning in listed
    assert "python    value" in listed
    assert "node      text: string" in listed
    found = json.loads(doshit("doctor", "--json").stdout)["findings"]
    [differ] = [one for one in found if one["code"] == "signatures-differ"]
    assert "function echo has 2 signatures" in differ["what"]
    assert len(differ["ids"]) == 2


def test_a_call_that_fits_one_of_two_signatures_is_sent_and_one_that_fits_none_is_refused(disagreeing, url, prefix):
    with Doshit(url, prefix=prefix) as app:
        for args in ({"text": "a"}, {"value": 1}):
            app.enqueue("echo", args)
        with pytest.raises(BadArguments):
            app.enqueue("echo", {"words": "a"})
