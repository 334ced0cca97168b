"""The contract that never breaks: two plain commands over a socket, and what a client in any language reads back."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import unquote, urlsplit

import pytest

from worker.tasks import FALSY

ID = "11111111-2222-2222-2222-333333333333"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def redis_url(each_redis_url):
    return each_redis_url


@pytest.fixture
def prefix():
    return "doshit"


class Socket:
    """A bare connection: it knows how a command is framed, and nothing else."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(unquote(urlsplit(url).path))

    def send(self, *words: str) -> None:
        body = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        self._socket.sendall(f"*{len(words)}\r\n{body}".encode())

    def read(self, expected: bytes) -> None:
        """Reads these very bytes."""
        got = b""
        while len(got) < len(expected) and (more := self._socket.recv(len(expected) - len(got))):
            got += more
        assert got == expected

    def ask(self, expected: bytes, *words: str) -> None:
        self.send(*words)
        self.read(expected)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def raw(redis_url) -> Iterator[Socket]:
    with closing(Socket(redis_url)) as connection:
        yield connection


@pytest.fixture
def listener(redis_url) -> Iterator[Socket]:
    with closing(Socket(redis_url)) as connection:
        connection.ask(b"*3\r\n$9\r\nsubscribe\r\n$14\r\ndoshit:results\r\n:1\r\n", "SUBSCRIBE", "doshit:results")
        yield connection


def read_end(raw, listener, value):
    key = f"doshit:task:{ID}"
    listener.read(f"*3\r\n$7\r\nmessage\r\n$14\r\ndoshit:results\r\n${len(key)}\r\n{key}\r\n".encode())
    answer = f"*2\r\n$10\r\nsuccessful\r\n${len(value)}\r\n{value}\r\n".encode()
    raw.ask(answer, "HMGET", key, "result", "result-value")


@pytest.mark.parametrize(
    "args", ['{ "text": "ooh yeeah" }', '{\n    "text": "ooh yeeah"\n}', ' {"text":"ooh yeeah"}\r\n\t']
)
def test_two_plain_commands_make_a_task_and_its_end_is_announced(start_worker, raw, listener, args):
    start_worker()
    key = f"doshit:task:{ID}"
    raw.ask(b":3\r\n", "HSET", key, "function", "echo", "state", "pending", "args", args)
    raw.ask(b"*2\r\n$-1\r\n$-1\r\n", "HMGET", key, "result", "result-value")
    raw.ask(b":1\r\n", "LPUSH", "doshit:default:pending", ID)
    read_end(raw, listener, '"ooh yeeah"')


def test_three_single_hsets_before_the_lpush_make_the_same_task(start_worker, raw, listener):
    start_worker()
    for field, value in (("function", "echo"), ("state", "pending"), ("args", '{ "text": "ooh yeeah" }')):
        raw.ask(b":1\r\n", "HSET", f"doshit:task:{ID}", field, value)
    raw.ask(b":1\r\n", "LPUSH", "doshit:default:pending", ID)
    read_end(raw, listener, '"ooh yeeah"')


def test_executing_lists_a_task_while_it_runs_and_its_result_is_nil_until_the_end(start_worker, world, raw, gate):
    start_worker()
    world.push(ID, "block", gate.args("it"))
    gate.await_begun("it")
    raw.ask(b"*2\r\n$-1\r\n$-1\r\n", "HMGET", f"doshit:task:{ID}", "result", "result-value")
    raw.ask(f"*1\r\n$36\r\n{ID}\r\n".encode(), "LRANGE", "doshit:default:executing", "0", "-1")
    raw.ask(b"*0\r\n", "LRANGE", "doshit:default:pending", "0", "-1")
    assert world.task(ID)["state"] == "executing"
    gate.open()
    assert world.value(ID) == "it"
    raw.ask(b"*0\r\n", "LRANGE", "doshit:default:executing", "0", "-1")


def test_every_field_of_a_finished_task_has_the_form_that_was_promised(start_worker, world):
    start_worker(result_ttl=1000)
    world.push("good", "echo", {"text": 1})
    world.push("bad", "fail", {"message": "no\nluck"})
    good, bad = world.ended("good"), world.ended("bad")
    for task in (good, bad):
        assert task["state"] == "finished"
        assert TIMESTAMP.fullmatch(task["executing-created"])
        assert TIMESTAMP.fullmatch(task["finished-created"])
        assert task["executing-created"] <= task["finished-created"]
    assert (good["result"], good["result-value"], "error-code" in good) == ("successful", "1", False)
    assert (bad["result"], bad["error-code"], "result-value" in bad) == ("failed", "exception", False)
    assert bad["error-reason"] == r"ValueError: no\nluck"
    assert bad["error-exception"].startswith("Traceback (most recent call last):\n")
    assert "doshit/worker" not in bad["error-exception"]
    assert 900 < world.client.ttl(world.task_key("good")) <= 1000
    assert world.client.ttl(world.task_key("bad")) > 1000


def test_absent_args_mean_none(start_worker, world):
    start_worker()
    world.client.hset(world.task_key("it"), "function", "pid")
    world.client.lpush("doshit:default:pending", "it")
    assert world.value("it") > 0


def test_falsy_results_come_back_as_themselves(start_worker, world):
    start_worker()
    world.push_all([(which, "falsy", {"which": which}) for which in FALSY])
    world.all_ended(list(FALSY))
    raw = {which: value for which, (value,) in zip(FALSY, world.fields(FALSY, "result-value"), strict=True)}
    assert raw == {"null": "null", "zero": "0", "false": "false", "text": '""', "array": "[]", "object": "{}"}


def test_one_child_runs_tasks_in_the_order_they_were_pushed(start_worker, world, ledger):
    ids = world.push_all([(str(n), "count", {"ledger": str(ledger), "name": str(n)}) for n in range(500)])
    start_worker()
    world.all_ended(ids)
    assert ledger.runs() == ids


def test_queues_are_served_in_the_order_they_are_named(start_worker, world, ledger):
    for queue in ("third", "first", "second"):
        world.push_all([(f"{queue}{n}", "count", {"ledger": str(ledger), "name": queue}) for n in range(3)], queue)
    start_worker("first", "second", "third")
    world.all_ended([f"{queue}{n}" for queue in ("first", "second", "third") for n in range(3)])
    assert ledger.runs() == ["first"] * 3 + ["second"] * 3 + ["third"] * 3


def test_an_idle_worker_hears_every_one_of_its_queues(start_worker, world):
    start_worker("first", "second", "third", children=1)
    for round in range(5):
        for queue in ("third", "first", "second"):
            world.push(f"{queue}{round}", "add", {"a": round, "b": 1}, queue)
            assert world.value(f"{queue}{round}") == round + 1


def test_as_many_tasks_run_at_once_as_there_are_children(start_worker, world, gate):
    start_worker(children=3)
    world.push_all([(name, "block", gate.args(name)) for name in "abc"])
    gate.await_begun("a", "b", "c")
    gate.open()
    world.all_ended("abc")


def test_an_async_function_runs_too(start_worker, world):
    start_worker()
    ids = world.push_all([(str(n), "aadd", {"a": n, "b": 1}) for n in range(50)])
    world.all_ended(ids)
    assert [world.value(id) for id in ids] == [n + 1 for n in range(50)]


def test_burst_ends_when_the_queues_are_empty(start_worker, world):
    ids = world.push_all([(str(n), "add", {"a": n, "b": 1}) for n in range(300)])
    worker = start_worker(burst=True, children=2, ready=False)
    assert worker.wait() == 0
    assert world.fields(ids, "result") == [["successful"]] * 300
    assert world.remains() == {}


def test_burst_does_not_take_a_queue_for_empty_whose_tasks_are_large(start_worker, world):
    ids = world.push_all([(str(n), "add", {"a": n, "b": 1}) for n in range(20)], attachment="x" * 2_000_000)
    worker = start_worker(burst=True, children=2, ready=False)
    assert worker.wait() == 0
    assert world.fields(ids, "result") == [["successful"]] * 20
    world.client.delete(*map(world.task_key, ids))
