"""What a stranger wrote is shown and logged without effect: no forged line, no escape sequence, no password."""

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
import redis

from cli.conftest import run_doshit
from doshit.cli.main import main
from properties.seen import text
from worker.workers import TASKS, World, until

FORGED = "12:00:00 forged"
EVIL = f"x\r\n{FORGED}\n\x1b[2J\x1b]0;title\x07\x9b31m\u2028\u202e\x08{FORGED}"
RAW = EVIL.encode() + b"\xff\xfe\xed\xa0\x80"
LINE = re.compile(r"\d\d:\d\d:\d\d ")
SECRET = "s3cr3t"
PASSWORD = f"{SECRET}-p%ss/w@rd:{SECRET}"


def assert_harmless(output: str) -> None:
    """Each line is one that can be printed and that no stranger began."""
    for line in output.split("\n"):
        assert line.isprintable(), line
        assert not line.startswith(FORGED), line


def hostile_tasks(world) -> list[bytes]:
    """Tasks that end in every way that is logged, with hostile words wherever a stranger may choose them."""
    evil = json.dumps({"message": EVIL})
    rows = [
        (b"raises" + RAW, b"fail", evil), (b"unknown" + RAW, b"no" + RAW[:200], "{}"), (b"args" + RAW, b"echo", RAW),
        (b"member" + RAW, b"add", json.dumps({EVIL: 1})), (b"succeeds" + RAW, b"echo", json.dumps({"text": EVIL})),
        (b"dies" + RAW, b"kill_self", "{}"),
    ]  # fmt: skip
    return [*world.push_all(rows, username=RAW), *world.push_all([(b"state" + RAW, b"echo", "{}")], retries=RAW)]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_nothing_of_a_task_forges_a_line_of_the_log(start_worker, world, log_format):
    worker = start_worker(children=2, unknown_grace=0, verbose=True, log_format=log_format)
    ids = hostile_tasks(world)
    world.all_ended(ids)
    until(lambda: all(word in worker.log() for word in ("raises", "dies", "succeeds")))
    assert worker.stop() == 0
    lines = worker.raw_log().decode().split("\n")
    assert lines.pop() == ""
    assert_harmless("\n".join(lines))
    if log_format == "json":
        assert all(set(json.loads(line)) >= {"time", "level", "message"} for line in lines)
    else:
        assert all(LINE.match(line) for line in lines)


@pytest.fixture
def said(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Runs one command in this process, which is quick: said(url, prefix, "show", "it") is its code and its words."""

    def run(url: str, prefix: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("DOSHIT_REDIS", url)
        monkeypatch.setenv("DOSHIT_APP_PREFIX", prefix)
        code = main(words)
        return code, *capsys.readouterr()

    return run


def test_nothing_of_a_task_forges_a_line_of_show(start_worker, world, redis_url, said):
    start_worker(children=2, unknown_grace=0)
    ids = hostile_tasks(world)
    world.all_ended(ids)
    for id in ids:
        line = {"s": "stdout", "t": "2015-12-05T00:19:01.834909Z", "m": RAW}
        world.client.xadd(world.prefix.encode() + b":log:" + id, line)
        more = dict.fromkeys(("progress", "failures", "worker", "pending-created", "queue", "attempts"), RAW)
        world.client.hset(world.task_key(id), mapping=more)
        for words in (["show"], ["show", "--json"]):
            code, out, err = said(redis_url, world.prefix, *words, text(id))
            assert code == 0, err
            # Behind the first blank line stands the traceback, whose lines may be anything that can be printed.
            facts, _, trace = out.partition("\n\n")
            assert_harmless(facts + err)
            assert trace.replace("\n", "").isprintable()


def test_nothing_in_redis_forges_a_line_of_status(world, redis_url, said):
    client, evil = world.client, RAW
    client.zadd(world.key("workers"), {b"w" + evil: 1e15})
    about = dict.fromkeys(["host", "pid", "started", "queues", "concurrency", "language", "version", "catalog"], evil)
    client.hset(world.prefix.encode() + b":worker:w" + evil, mapping=about)
    client.hset(world.prefix.encode() + b":held:w" + evil, mapping={evil: b"claim " + evil})
    client.hset(world.task_key(evil), mapping={"function": evil, "executing-created": evil})
    client.sadd(world.key("queues"), evil, "default")
    client.set(world.key("default", "scheduled"), evil)
    for words in (["status"], ["status", "--json"], ["status", "--check", "--any"]):
        _, out, err = said(redis_url, world.prefix, *words)
        assert_harmless(out + err)


@pytest.fixture
def guarded(start_server) -> Iterator[tuple[str, "redis.Redis"]]:
    """A server with a password that must be quoted in a URL: its URL, and a client that is let in."""
    server = start_server(tcp=True)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        assert client.info("server")["process_id"] == server.pid
        client.config_set("requirepass", PASSWORD)
        port = client.connection_pool.connection_kwargs["port"]
        yield f"redis://default:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/0", client


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_worker_logs_no_password_while_it_is_let_in_nor_when_it_is_shut_out(
    start_worker, guarded, prefix, log_format
):
    url, client = guarded
    worker = start_worker(url=url, verbose=True, log_format=log_format)
    world = World(client, prefix)
    world.push("it", "add", {"a": 1, "b": 1})
    assert world.value("it") == 2
    before = len(worker.log())
    client.config_set("requirepass", "another one")
    for kind in ("normal", "pubsub"):
        client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    until(lambda: "password" in worker.log()[before:].lower(), what="the worker says that it is not let in")
    assert worker.process.poll() is None
    client.config_set("requirepass", PASSWORD)
    world.push("next", "add", {"a": 1, "b": 1})
    assert world.value("next") == 2
    assert worker.stop() == 0
    assert SECRET not in worker.log()


HERE = [
    "redis://default:wrong-{}@127.0.0.1:{port}/0", "redis://u:{}/x@127.0.0.1:{port}/0", "redis://u:{}@127.0.0.1:port/0",
    "redis://u:{}@[::1/0", "http://u:{}@host/0", "redis://u:{}@127.0.0.1:{port}/0?no_option=1", "u:{}@host",
]  # fmt: skip
NOWHERE = ["redis://:{}@127.0.0.1:1/0", "redis://127.0.0.1:1/0?password={}", "redis+sentinel://u:{}@127.0.0.1:1/main/0"]


def test_no_command_tells_a_password_when_it_cannot_connect(guarded, prefix, said):
    _, client = guarded
    port = str(client.connection_pool.connection_kwargs["port"])
    few, all = [["status", "--check"]], [["status"], ["status", "--check"], ["show", "it"], ["submit", "add", "a=1"]]
    cases = [(form, words) for form in HERE + NOWHERE for words in (all if form in HERE else few)]
    for form, words in cases:
        url = form.replace("{port}", port).replace("{}", quote(PASSWORD, safe=""))
        code, out, err = said(url, prefix, *words)
        assert (code, SECRET in out + err) == (1, False), (form, words, out, err)
        assert_harmless(err)


@pytest.mark.parametrize("form", [HERE[0], HERE[5]])
def test_no_worker_tells_a_password_when_it_cannot_start(guarded, prefix, form):
    port = str(guarded[1].connection_pool.connection_kwargs["port"])
    url = form.replace("{port}", port).replace("{}", quote(PASSWORD, safe=""))
    shown = run_doshit(["worker", TASKS], DOSHIT_REDIS=url, DOSHIT_APP_PREFIX=prefix)
    assert shown.returncode != 0
    assert SECRET not in shown.stdout + shown.stderr
