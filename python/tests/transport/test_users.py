"""The rights of docs/redis.md, given exactly as they stand there: each role can do its work and no more."""

from pathlib import Path

import pytest
import redis

from doshit import Doshit
from doshit.cli.main import main
from doshit.errors import NotPermitted
from worker.workers import TASKS, World, until

PAGE = Path(__file__).parents[3] / "docs" / "redis.md"
RECIPES = {
    line.split()[2]: line.split() for line in PAGE.read_text().splitlines() if line.startswith("    ACL SETUSER")
}
APP = "doshit"


@pytest.fixture
def node(start_node):
    node = start_node()
    for words in RECIPES.values():
        assert node.client.execute_command(*words) in (b"OK", True)
    # Whatever an administrator would find there of what was refused, from here on.
    node.client.execute_command("ACL", "LOG", "RESET")
    return node


@pytest.fixture
def url(node):
    return lambda role: f"redis://{role}:SECRET@{node.host}/0"


@pytest.fixture
def refused(node, url):
    """refused(role, *command): the server denies it."""

    def ask(role: str, *words: object) -> bool:
        with redis.Redis.from_url(url(role), protocol=2) as client:
            try:
                client.execute_command(*words)
            except redis.exceptions.NoPermissionError:
                return True
            except redis.exceptions.ResponseError as error:
                # Inside a script the words differ between the engines.
                return "ACL failure in script" in str(error) or "user executing the script" in str(error)
        return False

    return ask


def denied(node) -> list[tuple[str, str]]:
    log = node.client.acl_log()
    return [(entry["username"], entry["object"]) for entry in log]


def test_every_role_has_its_recipe():
    assert set(RECIPES) == {"worker", "producer", "plain-producer", "viewer"}


@pytest.mark.parametrize("role", ["producer", "plain-producer"])
def test_a_worker_and_a_producer_do_their_work_and_are_denied_nothing_they_need(node, url, start_worker, role):
    worker = start_worker(url("worker"), APP, target=TASKS, children=2)
    with Doshit(url(role), prefix=APP) as app:
        assert app.enqueue("add", {"a": 1, "b": 2}).result(timeout=25) == 3
        handle = app.enqueue("fail", {"message": "no"})
        until(lambda: handle.info().state == "finished", what="the failure is there")
        many = [app.enqueue("add", {"a": n, "b": 0}) for n in range(20)]
        assert [each.result(timeout=25) for each in many] == list(range(20))
    assert worker.stop() == 0
    assert "NOPERM" not in worker.log()
    # It finds out once for each process that it may not read the catalog, or run scripts.
    refusals = {entry["object"]: entry["count"] for entry in node.client.acl_log()}
    assert refusals.pop("zrangebyscore") == 1
    assert not refusals or (role, list(refusals)) == ("plain-producer", ["evalsha"])


def test_a_producer_with_scripts_may_delay_a_task(node, url):
    with Doshit(url("producer"), prefix=APP) as app:
        node.client.hset(f"{APP}:task:other", "function", "add")
        app.enqueue("add", {"a": 1, "b": 2}, delay=60)
    assert node.client.zcard(f"{APP}:default:scheduled") == 1
    assert denied(node) == [("producer", "zrangebyscore")]


@pytest.mark.parametrize("role", ["producer", "plain-producer"])
def test_a_producer_may_not_touch_what_is_no_business_of_its(refused, role):
    assert refused(role, "LPUSH", f"{APP}:default:executing", "1")
    assert refused(role, "RPOP", f"{APP}:default:pending")
    assert refused(role, "DEL", f"{APP}:task:1")
    assert refused(role, "PUBLISH", f"{APP}:results", "x")
    assert refused(role, "HSET", "other:task:1", "function", "f")
    assert refused(role, "HGETALL", f"{APP}:worker:1")
    assert refused(role, "SUBSCRIBE", "other:results")
    assert refused(role, "KEYS", "*")
    assert refused(role, "CONFIG", "GET", "*")


def test_a_producer_without_scripts_may_run_none(refused):
    assert refused("plain-producer", "EVAL", "return 1", 0)


def test_a_worker_may_touch_no_other_app_and_no_server(refused):
    for words in (
        ("LPUSH", "other:default:pending", "1"), ("PUBLISH", "other:results", "x"), ("FLUSHALL",), ("FLUSHDB",),
        ("KEYS", "*"), ("SCAN", 0), ("CONFIG", "SET", "maxmemory", "1"), ("SCRIPT", "FLUSH"), ("ACL", "LIST"),
        ("CLIENT", "LIST"), ("SHUTDOWN",), ("EVAL", "return redis.call('GET', 'other')", 0),
    ):  # fmt: skip
        assert refused("worker", *words), words


def test_a_viewer_sees_and_changes_nothing(node, url, refused):
    World(node.client, APP).push("1", "add", {"a": 1, "b": 2})
    with Doshit(url("viewer"), prefix=APP) as app:
        assert app.handle("1").info().state == "pending"
        with pytest.raises(NotPermitted, match=r"docs/redis\.md has the rights"):
            app.enqueue("add", {"a": 1, "b": 2})
    for words in (("HSET", f"{APP}:task:1", "state", "x"), ("LPUSH", f"{APP}:cancel", "1"), ("EVAL", "return 1", 0)):
        assert refused("viewer", *words)
    assert not refused("viewer", "LRANGE", f"{APP}:default:pending", 0, -1)


def test_a_producer_cancels_by_asking_the_workers(node, url):
    with Doshit(url("producer"), prefix=APP) as app:
        handle = app.enqueue("add", {"a": 1, "b": 2})
        assert handle.cancel() == "asked"
    assert node.client.lrange(f"{APP}:cancel", 0, -1) == [handle.id.encode()]


@pytest.mark.parametrize("role", ["producer", "plain-producer"])
def test_a_failed_task_stays_as_it_was_for_who_may_not_run_it_again(node, url, role):
    ended = {"function": "add", "state": "finished", "result": "failed", "error-code": "exited", "queue": "default"}
    node.client.hset(f"{APP}:task:1", mapping=ended)
    with Doshit(url(role), prefix=APP) as app, pytest.raises(NotPermitted, match=r"docs/redis\.md has the rights"):
        app.handle("1").retry()
    assert node.client.hgetall(f"{APP}:task:1") == {name.encode(): value.encode() for name, value in ended.items()}


def test_a_producer_is_shown_its_task(node, url, capsys):
    World(node.client, APP).push("1", "add", {"a": 1, "b": 2})
    assert main(["show", "1", "--redis", url("producer"), "--prefix", APP]) == 0
    assert "pending" in capsys.readouterr().out
