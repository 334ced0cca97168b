"""`doshit status`: queues and workers as they are, and a probe that tells the truth and never hangs."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from doshit.values.times import format_timestamp


def moment(plain, seconds):
    """A timestamp so many seconds before the server's now."""
    return format_timestamp(datetime.fromtimestamp(plain.time()[0], UTC) - timedelta(seconds=seconds))


def register(plain, prefix, id, lease=60.0, host=None, queues="default", **more):
    """Writes what a worker writes of itself."""
    about = {"host": host or socket.gethostname(), "pid": 77, "started": moment(plain, 7200), "queues": queues}
    about |= {"concurrency": 4, "language": "python 3.11", **more}
    plain.hset(f"{prefix}:worker:{id}", mapping=about)
    plain.zadd(f"{prefix}:workers", {id: (plain.time()[0] + lease) * 1000})


def hold(plain, prefix, worker, id, function, seconds):
    plain.hset(f"{prefix}:held:{worker}", id, "c/1.1 default")
    plain.hset(f"{prefix}:task:{id}", mapping={"function": function, "executing-created": moment(plain, seconds)})


def machine(doshit):
    said = doshit("status", "--json")
    assert (said.returncode, said.stderr) == (0, "")
    return json.loads(said.stdout)


def queue_named(status, name):
    return next(queue for queue in status["queues"] if queue["name"] == name)


def test_nothing_there_yet_is_said_with_the_next_step(doshit):
    said = doshit("status")
    assert said.returncode == 0
    assert "default" in said.stdout
    assert "no worker is alive; start one: doshit worker tasks.py" in said.stdout


def test_every_queue_that_was_seen_or_is_served_is_counted(doshit, plain, prefix):
    plain.sadd(f"{prefix}:queues", "mail")
    plain.lpush(f"{prefix}:mail:pending", "t1", "t2")
    plain.lpush(f"{prefix}:mail:executing", "t3")
    plain.zadd(f"{prefix}:mail:scheduled", {"t4": 1})
    plain.zadd(f"{prefix}:mail:failed", {"t5": 1, "t6": 2})
    register(plain, prefix, "w1", queues="served")
    status = machine(doshit)
    assert [queue["name"] for queue in status["queues"]] == ["default", "mail", "served"]
    mail = queue_named(status, "mail")
    assert [mail[name] for name in ("pending", "executing", "scheduled", "failed")] == [2, 1, 1, 2]


def test_the_age_is_that_of_the_task_that_will_be_taken_next(doshit, plain, prefix):
    for id, seconds in (("old", 600), ("new", 5)):
        plain.hset(f"{prefix}:task:{id}", "pending-created", moment(plain, seconds))
        plain.lpush(f"{prefix}:default:pending", id)
    assert 600 <= queue_named(machine(doshit), "default")["oldest"] < 640
    assert "10 min" in doshit("status").stdout


def test_what_a_wait_has_taken_off_the_list_is_pending_and_was_the_oldest(doshit, plain, prefix):
    for id, seconds, place in (("oldest", 6000, "arrived"), ("old", 600, "arrived"), ("new", 5, "pending")):
        plain.hset(f"{prefix}:task:{id}", "pending-created", moment(plain, seconds))
        plain.lpush(f"{prefix}:default:{place}", id)
    queue = queue_named(machine(doshit), "default")
    assert (queue["pending"], 6000 <= queue["oldest"] < 6040) == (3, True)


@pytest.mark.parametrize("fields", [{}, {"function": "add"}, {"pending-created": "yesterday"}])
def test_an_unknown_age_is_a_dash(doshit, plain, prefix, fields):
    if fields:
        plain.hset(f"{prefix}:task:t1", mapping=fields)
    plain.lpush(f"{prefix}:default:pending", "t1")
    assert queue_named(machine(doshit), "default")["oldest"] is None
    assert doshit("status").stdout.splitlines()[1].endswith("  -")


def test_a_key_of_another_type_spoils_its_queue_only(doshit, plain, prefix):
    plain.sadd(f"{prefix}:queues", "broken", "mail")
    plain.set(f"{prefix}:broken:pending", "text")
    plain.lpush(f"{prefix}:mail:pending", "t1")
    status = machine(doshit)
    assert "another program uses this key" in queue_named(status, "broken")["problem"]
    assert queue_named(status, "mail")["pending"] == 1
    assert "broken: " in doshit("status").stdout


def test_a_worker_is_shown_with_what_it_runs_and_for_how_long(doshit, plain, prefix):
    register(plain, prefix, "w1", queues="mail,default", version="0.1.0")
    hold(plain, prefix, "w1", "t1", "nap", 300)
    hold(plain, prefix, "w1", "t2", "add", 10)
    hold(plain, prefix, "w1", "t3", "add", 20)
    (worker,) = machine(doshit)["workers"]
    assert (worker["id"], worker["pid"], worker["queues"], worker["held"]) == ("w1", 77, ["mail", "default"], 3)
    assert 7200 <= worker["uptime"] < 7300
    assert [(run["id"], run["function"]) for run in worker["runs"]] == [("t1", "nap"), ("t3", "add"), ("t2", "add")]
    assert "nap 5 min, add x2 2" in doshit("status").stdout


def test_a_worker_with_a_thousand_tasks_is_shown_with_some_of_them(doshit, plain, prefix):
    register(plain, prefix, "w1")
    plain.hset(f"{prefix}:held:w1", mapping={f"t{n}": "c/1.1 default" for n in range(1000)})
    (worker,) = machine(doshit)["workers"]
    assert (worker["held"], len(worker["runs"])) == (1000, 20)
    assert "and 980 more" in doshit("status").stdout


def test_a_worker_that_tells_nonsense_of_itself_is_shown_all_the_same(doshit, plain, prefix):
    register(plain, prefix, "w1", pid="x", concurrency="\u00b2")
    (worker,) = machine(doshit)["workers"]
    assert (worker["pid"], worker["concurrency"]) == (None, None)


def test_a_worker_whose_lease_is_over_is_not_alive(doshit, plain, prefix):
    register(plain, prefix, "dead", lease=-1)
    plain.zadd(f"{prefix}:workers", {"sealed": -1})
    assert machine(doshit)["workers"] == []


def test_nothing_a_stranger_wrote_can_act_on_the_terminal(doshit, plain, prefix):
    register(plain, prefix, "w\x1b[2J", host="h\x1b[2J", queues="q\x1b[2J", concurrency="\x1b")
    hold(plain, prefix, "w\x1b[2J", "t\x1b", "f\x1b[2J\n", 1)
    plain.sadd(f"{prefix}:queues", "evil\x1b[2J", "task", b"\xff")
    said = doshit("status")
    assert said.returncode == 0
    assert said.stdout.replace("\n", "").isprintable()
    assert [queue["name"] for queue in machine(doshit)["queues"]] == ["default"]


def test_a_check_finds_a_live_worker_of_this_host(doshit, plain, prefix):
    assert doshit("status", "--check").returncode == 1
    register(plain, prefix, "elsewhere", host="another-host")
    said = doshit("status", "--check")
    assert (said.returncode, said.stdout.count("\n")) == (1, 1)
    assert doshit("status", "--check", "--any").returncode == 0
    register(plain, prefix, "here")
    said = doshit("status", "--check")
    assert (said.returncode, said.stdout.count("\n")) == (0, 1)
    assert "here" in said.stdout


def test_a_check_of_a_queue_wants_a_worker_that_serves_it(doshit, plain, prefix):
    register(plain, prefix, "w1", queues="mail,default")
    assert doshit("status", "--check", "-q", "mail").returncode == 0
    assert doshit("status", "--check", "-q", "mail", "-q", "default").returncode == 0
    assert doshit("status", "--check", "-q", "mail", "-q", "bulk").returncode == 1


def test_a_check_fails_for_a_worker_that_died(doshit, plain, prefix):
    register(plain, prefix, "w1", lease=-1)
    assert doshit("status", "--check").returncode == 1


def test_a_check_of_a_server_that_never_answers_gives_up(doshit):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = doshit("status", "--check", "--redis", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "within 0.75 s" in said.stderr


def test_a_check_without_a_server_fails(doshit):
    assert doshit("status", "--check", "--redis", "redis://127.0.0.1:1/0").returncode == 1
