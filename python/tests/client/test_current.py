"""What a run knows of itself and tells of itself, as the child that runs it sets it up."""

import asyncio
import json
import threading

import pytest

from doshit import CurrentTask, current_task, progress
from doshit.client import current

RUN = (b"order-7", b"add", b"w1/3.1", b"2")


def me() -> CurrentTask:
    """The run this code is part of; there is one."""
    run = current_task()
    assert run is not None
    return run


@pytest.fixture
def told(monkeypatch):
    """What was told, each with the id of the run that told it; nothing of this is left behind."""
    told = []

    def hear(raw):
        told.append((me().id, json.loads(raw)))

    current.set_progress_sink(hear)
    yield told
    current.set_progress_sink(None)
    current.set_running(None)


def test_outside_of_a_run_there_is_no_task_and_progress_does_nothing(told):
    assert current_task() is None
    progress(0.5, "half")
    assert told == []


def test_a_run_knows_its_task_attempt_claim_and_producer(told):
    current.set_running((*RUN, 12.5, b"ann", b"00-1-2-01"))
    assert (me().id, me().function, me().attempt, me().claim) == ("order-7", "add", 2, "w1/3.1")
    assert (me().deadline, me().username, me().traceparent, me().cancelled) == (12.5, "ann", "00-1-2-01", False)
    current.set_running(RUN)
    assert (me().deadline, me().username, me().traceparent) == (None, None, None)


def test_an_id_that_is_not_utf_8_comes_through(told):
    current.set_running((b"\xff", b"f", b"c", b"1"))
    assert me().id == "\udcff"


def test_a_cancelled_run_sees_it(told):
    current.set_running(RUN)
    current.mark_cancelled(me())
    assert me().cancelled
    current.set_running(RUN)
    assert not me().cancelled


def test_progress_is_told_with_its_time_in_the_form_of_the_protocol(told):
    current.set_running(RUN)
    progress(0.4, "rows read")
    ((id, said),) = told
    assert id == "order-7"
    assert (said["fraction"], said["text"]) == (0.4, "rows read")
    assert len(said["at"]) == 27
    assert said["at"].endswith("Z")


@pytest.mark.parametrize(
    ("fraction", "kept"), [(None, None), (0, 0), (1, 1), (1.0000001, 1), (-3, 0), (float("nan"), None)]
)
def test_a_fraction_is_brought_between_0_and_1(told, fraction, kept):
    current.set_running(RUN)
    progress(fraction)
    assert told[0][1]["fraction"] == kept


def test_a_text_that_cannot_be_written_or_kept_whole_spoils_no_run(told):
    current.set_running(RUN)
    progress(None, "\ud800" + "x" * 5000)
    assert told[0][1]["text"] == "\\ud800" + "x" * 999


def test_a_thread_that_a_run_starts_is_part_of_it(told):
    current.set_running(RUN)
    thread = threading.Thread(target=progress, args=(0.5,))
    thread.start()
    thread.join()
    assert [id for id, _ in told] == ["order-7"]


def test_runs_at_the_same_time_know_their_own_task(told):
    async def run(id):
        current.enter_run((id, b"f", b"c", b"1"))
        await asyncio.sleep(0)
        await asyncio.to_thread(progress, 0.5)
        return me().id

    async def main():
        return await asyncio.gather(run(b"one"), run(b"two"))

    assert asyncio.run(main()) == ["one", "two"]
    assert sorted(id for id, _ in told) == ["one", "two"]
    assert current_task() is None


def test_a_run_handed_to_a_thread_of_a_pool_tells_as_itself(told):
    async def main():
        run = current.enter_run((b"one", b"f", b"c", b"1"))
        # A pool's thread has no context of the run.
        await asyncio.get_running_loop().run_in_executor(None, run.progress, 0.5)

    asyncio.run(main())
    assert [id for id, _ in told] == ["one"]
