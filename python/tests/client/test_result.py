"""Waiting for results: what comes back, what is raised, what is heard, what is mended."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from doshit import Doshit, IdConflict, ServerError, TaskFailed, TaskVanished, WaitTimeout
from doshit.client import ending
from doshit.errors import BadValue, ServerUnavailable


@dataclass
class Invoice:
    number: int
    due: date


@pytest.fixture
def waited(app, foreign):
    """The app, after it has waited once: from now on its tasks name its own channel."""
    handle = app.enqueue("warm-up")
    foreign.write(handle.id, result="successful", result_value="1")
    assert handle.result(0) == 1
    blocked = app.enqueue("warm-up")
    with pytest.raises(WaitTimeout):
        blocked.result(0.05)
    return app


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}, 1.5, "text", {"a": [1, None]}, 2**70])
def test_every_json_value_comes_back_as_itself(app, foreign, value):
    handle = app.enqueue("any")
    foreign.succeed(handle.id, value)
    result = handle.result(90)
    assert result == value
    assert type(result) is type(value)


def test_a_known_function_gives_a_typed_result(app, foreign):
    @app.task
    def bill(number: int) -> Invoice:
        raise NotImplementedError

    handle = bill.enqueue(1)
    foreign.succeed(handle.id, {"number": 1, "due": "2030-01-02"})
    assert handle.result(90) == Invoice(1, date(2030, 1, 2))
    assert bill.handle(handle.id).result(90) == Invoice(1, date(2030, 1, 2))
    assert app.handle(handle.id).result(90) == {"number": 1, "due": "2030-01-02"}


def test_a_result_that_does_not_fit_its_annotation_says_where(app, foreign):
    @app.task
    def bill(number: int) -> Invoice:
        raise NotImplementedError

    handle = bill.enqueue(1)
    foreign.succeed(handle.id, {"number": "one", "due": "2030-01-02"})
    with pytest.raises(BadValue, match=r"result-value\.number: expected int, got str"):
        handle.result(90)


def test_a_failed_task_raises_with_its_code_reason_and_traceback(app, foreign):
    handle = app.enqueue("any")
    foreign.fail(
        handle.id, error_code="exception", error_reason="no such user", error_exception="Traceback\n  line 7\n"
    )
    with pytest.raises(TaskFailed) as failed:
        handle.result(90)
    error = failed.value
    assert (error.id, error.code, error.reason) == (handle.id, "exception", "no such user")
    assert error.remote_traceback == "Traceback\n  line 7\n"
    assert error.__notes__ == ["where it ran:\nTraceback\n  line 7"]


def test_a_failure_that_says_nothing_of_itself_is_an_exception(app, foreign):
    handle = app.enqueue("any")
    foreign.fail(handle.id)
    with pytest.raises(TaskFailed) as failed:
        handle.result(90)
    assert (failed.value.code, failed.value.reason) == ("exception", "")


def test_the_first_wait_hears_the_end_on_the_channel_of_all(app, foreign, aside):
    handle = app.enqueue("any")
    waiting = aside(lambda: handle.result(90))
    foreign.until_listened_to("results")
    foreign.succeed(handle.id, "done")
    assert waiting.join() == "done"


def test_the_channel_of_all_is_left_when_nobody_needs_it(waited, foreign, plain, prefix):
    while plain.pubsub_channels(f"{prefix}:results"):
        pass
    assert len(plain.pubsub_channels(f"{prefix}:reply:*")) == 1


def test_who_has_waited_once_names_a_channel_of_its_own(waited, foreign, plain, prefix):
    task = foreign.hash(waited.enqueue("any").id)
    (channel,) = plain.pubsub_channels(f"{prefix}:reply:*")
    assert task["reply-to"] == channel.decode()
    assert len(channel) == len(f"{prefix}:reply:") + 8
    assert "reply-to" not in foreign.hash(waited.enqueue_many([waited.job("any")])[0].id)


class Counter:
    """Counts the looks at the hash."""

    def __init__(self, app: Doshit) -> None:
        self.looks = 0
        side = app._sync_side()
        fields = side.face.fields

        def counted(*args: Any) -> Any:
            self.looks += 1
            return fields(*args)

        setattr(side.face, "fields", counted)  # noqa: B010 - a method, to a type checker


def test_in_the_steady_state_a_result_costs_one_look(waited, foreign):
    counter = Counter(waited)
    for at in range(5):
        handle = waited.enqueue("any")
        foreign.succeed(handle.id, at)
        assert handle.result(90) == at
    assert counter.looks == 5


def test_an_end_that_another_wait_has_read_past_is_still_found(waited, foreign):
    first, second = waited.enqueue("any"), waited.enqueue("any")
    foreign.succeed(first.id, 1)
    foreign.succeed(second.id, 2)
    assert second.result(90) == 2  # reads the message of the first, which nobody waits for yet
    assert first.result(90) == 1


def test_tasks_that_nobody_waits_for_stop_asking_for_messages(waited, foreign):
    handles = [waited.enqueue("any") for _ in range(1002)]
    assert "reply-to" in foreign.hash(handles[0].id)
    assert "reply-to" not in foreign.hash(handles[-1].id)
    foreign.succeed(handles[-1].id)
    handles[-1].result(90)
    assert "reply-to" in foreign.hash(waited.enqueue("any").id)


def test_a_message_that_never_came_is_not_needed(waited, foreign, aside, monkeypatch):
    monkeypatch.setattr(ending, "REREAD", 0.05)
    handle = waited.enqueue("any")
    waiting = aside(lambda: handle.result(90))
    foreign.write(handle.id, result="successful", result_value="7")
    assert waiting.join() == 7


def test_a_timeout_says_that_the_task_goes_on(app):
    handle = app.enqueue("any")
    with pytest.raises(WaitTimeout, match=r"has not ended within 0.01 s; it goes on") as late:
        handle.result(0.01)
    assert isinstance(late.value, TimeoutError)
    assert late.value.seconds == 0.01


def test_a_timeout_of_zero_is_a_single_look(waited, foreign):
    handle = waited.enqueue("any")
    with pytest.raises(WaitTimeout):
        handle.result(0)
    foreign.write(handle.id, result="successful", result_value="7")
    assert handle.result(0) == 7


def test_a_task_that_is_gone_raises_at_once(app, plain):
    handle = app.enqueue("any")
    plain.flushdb()
    with pytest.raises(TaskVanished, match="is not in Redis"):
        handle.result()
    with pytest.raises(TaskVanished):
        handle.state()
    with pytest.raises(TaskVanished):
        handle.info()


def test_an_id_that_nobody_has_seen_may_still_come(app, foreign, aside):
    waiting = aside(lambda: app.handle("later").result(90))
    foreign.until_listened_to()
    foreign.succeed("later", "here")
    assert waiting.join() == "here"


def test_an_id_that_never_comes_is_vanished_in_the_end(app, monkeypatch):
    monkeypatch.setattr(ending, "NEVER_SEEN", 0.05)
    with pytest.raises(TaskVanished):
        app.handle("never").result()


def test_a_cut_connection_while_waiting_is_mended(redis_url, prefix, start_proxy, foreign, aside):
    proxy = start_proxy(redis_url)
    with Doshit(proxy.url, prefix=prefix) as app:
        handle = app.enqueue("any")
        waiting = aside(lambda: handle.result(90))
        foreign.until_listened_to("results")
        foreign.write(handle.id, result="successful", result_value="7")  # and the message is lost with the connection
        proxy.cut()
        assert waiting.join() == 7


def test_a_server_that_goes_away_makes_a_timeout_that_says_so(start_server, prefix):
    server = start_server()
    with Doshit(server.url, prefix=prefix) as app:
        handle = app.enqueue("any")
        with pytest.raises(WaitTimeout):
            handle.result(0.05)
        server.stop()
        with pytest.raises(WaitTimeout) as late:
            handle.result(0.3)
        assert "Redis did not answer at the end" in late.value.__notes__[0]
        with pytest.raises(ServerUnavailable, match="no Redis answers at"):
            app.enqueue("any")


def test_a_channel_that_has_gone_deaf_is_replaced(waited, foreign, plain, prefix, monkeypatch):
    monkeypatch.setattr(ending, "REREAD", 0.05)
    handle = waited.enqueue("any")
    plain.hdel(f"{prefix}:task:{handle.id}", "reply-to")
    foreign.succeed(handle.id, 7)  # to all, but not to the one who was promised a message
    accepted = int(plain.info("stats")["total_connections_received"])
    assert handle.result(90) == 7
    with pytest.raises(WaitTimeout):
        waited.enqueue("any").result(0.05)
    assert int(plain.info("stats")["total_connections_received"]) > accepted


def test_a_user_who_may_not_run_scripts_submits_with_two_plain_commands(limited, foreign, plain, prefix):
    app = limited("+hset", "+lpush", "+hmget", "+zadd", "+sadd")
    handle = app.enqueue("add", {"a": 1})
    task = foreign.hash(handle.id)
    assert task.pop("pending-created")
    assert task == {"function": "add", "state": "pending", "args": '{"a":1}'}
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [handle.id.encode()]
    assert len(app.enqueue_many(app.job("add", {"a": at}) for at in range(600))) == 600
    assert plain.llen(f"{prefix}:default:pending") == 601
    delayed = app.enqueue("add", {"a": 1}, delay=100)
    assert plain.zscore(f"{prefix}:default:scheduled", delayed.id)


def test_without_scripts_an_id_is_still_the_idempotency_key(limited, foreign):
    app = limited("+hset", "+lpush", "+hmget")
    app.enqueue("add", {"a": 1}, id="order-7")
    with pytest.raises(IdConflict):
        app.enqueue("add", {"a": 2}, id="order-7")
    foreign.succeed("order-7", 3)
    assert app.enqueue("add", {"a": 1}, id="order-7").result(0) == 3


def test_a_user_who_may_not_listen_looks_again_and_again(limited, foreign, aside):
    app = limited("+@all", "resetchannels")
    handle = app.enqueue("any")
    with pytest.raises(WaitTimeout):
        handle.result(0.05)
    waiting = aside(lambda: handle.result(90))
    foreign.write(handle.id, result="successful", result_value="7")
    assert waiting.join() == 7


def test_a_user_who_may_do_nothing_is_told_what_is_missing(limited):
    with pytest.raises(ServerError, match=r"NOPERM .* give this user the commands and keys that it needs"):
        limited().enqueue("any")


def test_a_wrong_password_is_not_an_absent_server(limited, redis_url):
    limited("+@all")
    with Doshit(f"{redis_url}&username=limited&password=wrong") as app:
        with pytest.raises(ServerError, match="check the user and password in the URL") as refused:
            app.enqueue("any")
        assert not isinstance(refused.value, ServerUnavailable)
        assert "wrong" not in str(refused.value).lower().replace("wrongpass", "")
