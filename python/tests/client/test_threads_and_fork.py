"""One app in many threads, and on both sides of a fork."""

import multiprocessing
import os
import threading

import pytest

from doshit import Doshit, WaitTimeout

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def answering(app, foreign, aside):
    """A worker in a thread, whose answer is the task's arguments."""
    worker = aside(lambda: foreign.serve("default", lambda task: task["args"]))
    yield
    app.enqueue("stop")
    worker.join()


@pytest.mark.usefixtures("answering")
def test_many_threads_wait_at_once_on_one_connection(app, aside, plain, prefix):
    def work(number):
        return [app.enqueue("any", {"n": number, "at": at}).result(90) for at in range(20)]

    threads = [aside(lambda number=number: work(number)) for number in range(16)]
    for number, thread in enumerate(threads):
        assert thread.join() == [f'{{"n":{number},"at":{at}}}' for at in range(20)]
    assert len(plain.pubsub_channels(f"{prefix}:reply:*")) == 1
    subscribers = [client for client in plain.client_list() if int(client["sub"])]
    assert len(subscribers) == 1


@pytest.mark.usefixtures("answering")
def test_many_threads_wait_for_tasks_of_others_at_once(app, aside):
    handles = app.enqueue_many(app.job("any", {"at": at}) for at in range(200))
    threads = [aside(lambda some=handles[at::8]: [handle.result(90) for handle in some]) for at in range(8)]
    for at, thread in enumerate(threads):
        assert thread.join() == [f'{{"at":{number}}}' for number in range(at, 200, 8)]


def test_many_threads_may_wait_for_one_task(app, foreign, aside):
    handle = app.enqueue("any")
    threads = [aside(lambda: handle.result(90)) for _ in range(8)]
    foreign.until_listened_to("results")
    foreign.succeed(handle.id, "all")
    assert [thread.join() for thread in threads] == ["all"] * 8


def test_a_leader_that_gives_up_hands_the_lead_to_another(app, foreign, aside):
    slow, quick = app.enqueue("any"), app.enqueue("any")
    leader = aside(lambda: slow.result(0.3))
    foreign.until_listened_to("results")
    follower = aside(lambda: quick.result(90))
    with pytest.raises(WaitTimeout):
        leader.join()
    foreign.succeed(quick.id, 1)
    assert follower.join() == 1


def _in_child(call):
    """What the call returns in a forked child."""
    here, there = multiprocessing.get_context("fork").Pipe()
    child = os.fork()
    if child == 0:
        try:
            there.send(call())
        except BaseException as error:
            there.send(error)
        finally:
            os._exit(0)
    assert here.poll(30), "the child says nothing"
    os.waitpid(child, 0)
    return here.recv()


@forking
def test_a_forked_child_enqueues_and_waits_on_connections_of_its_own(app, foreign, plain, prefix):
    first = app.enqueue("any")
    foreign.succeed(first.id, 1)
    blocked = app.enqueue("any")
    with pytest.raises(WaitTimeout):
        blocked.result(0.05)
    before = app.enqueue("any")

    def child():
        handle = app.enqueue("any")
        with pytest.raises(WaitTimeout):
            handle.result(0.05)
        mine = app.enqueue("any")
        foreign.succeed(mine.id, "child")
        foreign.succeed(before.id, "parent")
        return mine.id, mine.result(90), before.result(90), foreign.hash(mine.id)["reply-to"]

    id, mine, its_parents, channel = _in_child(child)
    assert (mine, its_parents) == ("child", "parent")
    assert before.result(90) == "parent"
    after = app.enqueue("any")
    assert after.id != id
    assert foreign.hash(after.id)["reply-to"] != channel
    foreign.succeed(after.id, "still")
    assert after.result(90) == "still"


@forking
def test_ids_of_parent_and_child_never_meet(app):
    app.enqueue("any")
    theirs = _in_child(lambda: {app.enqueue("any").id for _ in range(100)})
    ours = {app.enqueue("any").id for _ in range(100)}
    assert len(theirs | ours) == 200


@forking
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_threads_enqueue_and_wait_leaves_no_lock_behind(app, foreign, aside):
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            handle = app.enqueue("any")
            foreign.succeed(handle.id, 1)
            handle.result(90)

    threads = [aside(busy) for _ in range(4)]

    def child():
        with Doshit(app.url, prefix=app.prefix) as own:
            own.enqueue("any")
        handle = app.enqueue("any")
        with pytest.raises(WaitTimeout):
            handle.result(0.05)
        return "free"

    try:
        assert [_in_child(child) for _ in range(5)] == ["free"] * 5
    finally:
        stop.set()
        for thread in threads:
            thread.join()
