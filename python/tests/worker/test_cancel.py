"""Cancel: whatever state a task is in when somebody asks, it ends as cancelled or had ended, and no other is hit."""

import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from doshit import Doshit
from doshit.commands import cancel
from doshit.values.keys import Keys
from doshit.values.times import format_timestamp
from worker.standing import standing
from worker.tasks_limits import begun
from worker.workers import until


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("cancel"), children=2) as stage:
        yield stage


@pytest.fixture
def gate(tmp_path):
    """A file that does not exist until the test makes it; runs held at it end with the test."""
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


def held(stage, gate, function="hold", fields=None, runs=1):
    """A task that runs and waits at the gate."""
    id = stage.start(function, fields, gate=str(gate))
    until(lambda: len(begun(gate)) >= runs, what=f"{function} has begun")
    return id


def test_a_running_task_is_cancelled_by_one_plain_command(stage, gate):
    id = held(stage, gate)
    stage.cancel(id)
    task = stage.failed(id, "cancelled", 8)
    assert task["error-reason"] == "cancelled while it ran"
    assert task["attempts"] == "1"


def test_a_run_hears_of_its_cancel_and_may_still_end_well(stage, gate):
    id = held(stage, gate, "notes_its_cancel")
    stage.cancel(id)
    assert stage.value(id, 8) == "False True"
    assert stage.task(id)["result"] == "successful"


@pytest.mark.parametrize("how", ["every signal masked", "catches everything", "a C call with the GIL"])
def test_a_run_that_does_not_hear_of_its_cancel_is_killed(stage, tmp_path, how):
    file = tmp_path / "begun"
    id = stage.start("deaf", how=how, begun=str(file))
    until(file.exists)
    stage.cancel(id)
    task = stage.failed(id, "cancelled", 8)
    assert "killed" in task["error-reason"]
    assert stage.value(stage.start("echo", text="next")) == "next"


def test_a_pending_a_delayed_and_a_parked_task_never_run(stage, gate, tmp_path):
    holds = [held(stage, gate, runs=n) for n in (1, 2)]  # no child is free
    other = tmp_path / "other"
    pending = stage.start("hold", gate=str(other))
    with Doshit(stage.url, prefix=stage.prefix) as app:
        delayed = app.enqueue("hold", {"gate": str(other)}, delay=3600).id
    stage.cancel(pending, delayed)
    for id in (pending, delayed):
        assert stage.failed(id, "cancelled", 8)["error-reason"] == "cancelled before it ran"
    gate.touch()
    stage.all_ended(holds)
    parked = stage.start("nobody_serves_this")
    until(lambda: stage.task(parked)["state"] == "pending" and not stage.entries(which="pending"), what="it is parked")
    stage.cancel(parked)
    stage.failed(parked, "cancelled", 8)
    assert stage.value(stage.start("echo", text=1)) == 1
    assert not begun(other)
    assert stage.client.zscore(stage.key("default", "scheduled"), delayed) is None


def test_what_waits_in_a_childs_batch_is_cancelled_and_its_neighbours_run(server, tmp_path, gate):
    with standing(server, tmp_path) as stage:
        stage.all_ended(stage.starts("echo", 300))
        stage.worker.signal(signal.SIGSTOP)  # so that all are claimed at once
        ids = stage.starts("nap", 60, seconds=0.001)
        stage.worker.signal(signal.SIGCONT)
        until(lambda: any(stage.task(id)["state"] == "executing" for id in ids))
        stage.cancel(*ids[1::2])
        stage.all_ended(ids)
        ends = stage.fields(ids, "result", "error-code", "attempts")
        assert ends[0::2] == [["successful", None, "1"]] * 30
        assert {tuple(end[:2]) for end in ends[1::2]} <= {("successful", None), ("failed", "cancelled")}


def test_a_cancel_asked_twice_or_too_late_changes_nothing(stage, gate):
    id = held(stage, gate)
    stage.cancel(id, id)
    stage.cancel(id)
    first = stage.failed(id, "cancelled", 8)
    done = stage.start("echo", text="done")
    before = stage.ended(done)
    stage.cancel(id, done, "nobody-knows-it", "")
    until(lambda: not stage.client.exists(stage.key("cancel")), what="the cancels were taken")
    assert stage.value(stage.start("echo", text=1)) == 1
    assert (stage.task(id), stage.task(done)) == (first, before)
    assert stage.task("nobody-knows-it") == {}


def test_garbage_in_the_cancel_list_stops_nobody(stage, gate):
    id = held(stage, gate)
    stage.client.lpush(stage.key("cancel"), b"\xff\x00", "x" * 5000, "{}", *(f"strange{n}" for n in range(250)))
    stage.cancel(id)
    stage.failed(id, "cancelled", 8)
    until(lambda: not stage.client.exists(stage.key("cancel")), what="the cancels were taken")


def test_a_cancel_list_of_the_wrong_type_stops_nobody(stage):
    stage.client.set(stage.key("cancel"), "text")
    try:
        assert stage.value(stage.start("echo", text=1)) == 1
    finally:
        stage.client.delete(stage.key("cancel"))
    assert "Traceback" not in stage.worker.log()


def test_the_next_run_of_the_same_id_is_not_hit(stage, gate, tmp_path):
    id = held(stage, gate)
    stage.cancel(id)
    stage.failed(id, "cancelled", 8)
    again = tmp_path / "again"
    stage.client.delete(stage.task_key(id))
    stage.push(id, "hold", {"gate": str(again)})
    until(lambda: begun(again), what="it runs again")
    assert stage.value(stage.start("echo", text=1)) == 1
    again.touch()
    assert isinstance(stage.value(id), int)


@pytest.mark.parametrize("function", ["held_and_retried", "wants_another_run"])
def test_a_cancelled_run_is_never_run_again(stage, gate, function):
    id = held(stage, gate, function)
    stage.cancel(id)
    stage.failed(id, "cancelled", 8)
    assert stage.value(stage.start("echo", text=1)) == 1
    assert len(begun(gate)) == 1


def test_a_task_that_waits_for_its_next_run_is_cancelled_at_once(stage):
    id = stage.start("fails_until", {"retries": 3, "retry-delay": 3000}, attempt_that_works=2)
    until(lambda: stage.task(id).get("retried") == "1")
    stage.cancel(id)
    assert stage.failed(id, "cancelled", 8)["error-reason"] == "cancelled before it ran again"


@pytest.mark.parametrize("returned", [False, True])
def test_a_run_may_cancel_itself_and_is_not_run_again(stage, returned):
    task = stage.failed(stage.start("cancels_itself", {"retries": 3}, returned=returned), "cancelled")
    assert (task["error-reason"], task["attempts"]) == ("nobody needs it", "1")


def test_a_task_whose_worker_dies_before_it_hears_of_the_cancel_never_runs_again(server, tmp_path, gate):
    with standing(server, tmp_path) as stage:
        id = held(stage, gate)
        victim = stage.worker
        victim.signal(signal.SIGSTOP)
        keys = Keys(stage.prefix)
        call = cancel(keys, [id], result_ttl=60)
        assert call.parse(stage.client.execute_command(*call.eval())) == ["asked"]
        victim.kill()
        stage.begin_worker()
        stage.failed(id, "cancelled", 20)
        assert len(begun(gate)) == 1


@pytest.mark.parametrize("slots_taken", [0, 2])
@pytest.mark.parametrize("field", ["queue:default", "function:hold"])
def test_a_cut_off_ends_what_was_submitted_before_it_and_nothing_later(stage, gate, tmp_path, field, slots_taken):
    holds = [held(stage, gate, runs=n + 1) for n in range(slots_taken)]
    other = tmp_path / "other"
    other.touch()
    moment = datetime.now(UTC)
    earlier, later = ({"pending-created": format_timestamp(moment + timedelta(seconds=n))} for n in (-1, 1))
    # One step of the server, so that the cut-off stands before any of them is claimed.
    with stage.client.pipeline(transaction=True) as step:
        before, undated, after = (
            stage.put_all(step, [(uuid.uuid4().hex[:12], "hold", {"gate": str(other)}) for _ in range(5)], **fields)
            for fields in (earlier, {}, later)
        )
        step.hset(stage.key("cutoffs"), field, format_timestamp(moment))
        step.execute()
    gate.touch()
    try:
        stage.all_ended([*holds, *before, *undated, *after])
        assert stage.fields(before, "error-code") == [["cancelled"]] * 5
        assert stage.fields([*holds, *undated, *after], "result") == [["successful"]] * (10 + slots_taken)
    finally:
        stage.client.delete(stage.key("cutoffs"))


def test_a_cancel_that_races_with_short_runs_hits_only_those_that_were_named(stage):
    ids = stage.starts("nap", 300, seconds=0.002)
    for id in ids[::5]:
        stage.cancel(id)
    stage.all_ended(ids)
    spared = [id for n, id in enumerate(ids) if n % 5]
    assert stage.fields(spared, "result", "attempts") == [["successful", "1"]] * len(spared)
    stage.at_rest()
