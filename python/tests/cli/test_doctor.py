"""`doshit doctor`: each finding is made, seen and, where that is safe, fixed; a healthy busy system has none."""

import argparse
import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import pytest
import redis

from doshit import Doshit
from doshit.cli.doctor import read
from doshit.cli.doctor import run as run_command
from doshit.cli.doctor.checks import findings
from doshit.cli.doctor.facts import Clock, Facts, Queue, Severity, Target, Worker
from doshit.cli.doctor.fix import Fixer
from doshit.cli.doctor.kinds import KINDS, finding
from doshit.cli.doctor.schema import Schema
from doshit.transport import SyncFace
from doshit.values.keys import Keys
from doshit.values.times import format_timestamp

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def examine(redis_url, prefix, capsys, monkeypatch):
    """The report of one look, in this process: a process of its own costs a second each. examine("--fix")."""
    monkeypatch.setattr(read, "SECOND_LOOK", 0.0)
    monkeypatch.setattr("doshit.cli.doctor.fix.HASH_GRACE", 0.0)

    def examine(*options, url=redis_url):
        given = {name: f"--{name}" in options for name in ("fix", "deep", "json")}
        code = run_command(argparse.Namespace(redis=url, prefix=prefix, **{**given, "json": True}))
        report = json.loads(capsys.readouterr().out)
        report["exit"] = code
        return report

    return examine


def codes(report):
    """What was found, without what is so on every test server: it keeps nothing on disk."""
    return sorted(row["code"] for row in report["findings"] if row["code"] != "persistence")


def row(report, code):
    return next(row for row in report["findings"] if row["code"] == code)


def ago(plain, seconds):
    return format_timestamp(datetime.fromtimestamp(plain.time()[0], UTC) - timedelta(seconds=seconds))


def register(plain, prefix, id="w1", lease=60.0, queues="default", functions=("add",), sha="c1", **more):
    """A live worker with its catalog, as it registers itself; its duties are done."""
    now = plain.time()[0]
    plain.hset(f"{prefix}:worker:{id}", mapping={"queues": queues, "catalog": sha, **more})
    plain.zadd(f"{prefix}:workers", {id: (now + lease) * 1000})
    for function in functions:
        plain.hset(f"{prefix}:catalog:{sha}", function, json.dumps({"parameters": {"type": "object"}}))
    plain.sadd(f"{prefix}:queues", *queues.split(","))


def task(plain, prefix, id, **fields):
    plain.hset(f"{prefix}:task:{id}", mapping={"function": "add", "state": "pending", "args": "{}", **fields})


def test_an_app_that_nobody_has_used_is_clean(examine):
    report = examine()
    assert codes(report) == []
    assert report["cut"] == []


def test_nothing_is_written_without_fix(examine, plain, prefix):
    task(plain, prefix, "t1")
    plain.lpush(f"{prefix}:default:pending", "gone")
    before = {key: plain.dump(key) for key in plain.scan_iter()}
    examine("--deep")
    assert {key: plain.dump(key) for key in plain.scan_iter()} == before


# Tasks and their places


def test_a_task_whose_lpush_never_came_is_found_and_put_into_its_queue_once(examine, plain, prefix):
    register(plain, prefix)
    task(plain, prefix, "t1")
    report = examine()
    assert (codes(report), report["exit"]) == (["lost-task"], 1)
    assert row(report, "lost-task")["ids"] == ["t1"]
    fixed = examine("--fix")
    assert codes(fixed) == []
    assert "1 put into their queue again" in fixed["done"][0]["said"]
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [b"t1"]
    examine("--fix")
    assert plain.llen(f"{prefix}:default:pending") == 1


def test_a_task_that_has_arrived_since_it_looked_lost_is_not_pushed(redis_url, plain, prefix):
    task(plain, prefix, "t1")
    facts = Facts(prefix, 0.0, queues=(Queue("default"),))
    fixer = Fixer(SyncFace(redis_url), Keys(prefix), facts, 0.0)
    plain.lpush(f"{prefix}:default:arrived", "t1")
    assert fixer.fix(finding("lost-task", facts, [Target("t1")])) == "1 changed meanwhile and left alone"
    assert plain.exists(f"{prefix}:default:pending") == 0


def test_a_lost_task_goes_to_the_queue_that_it_names(examine, plain, prefix):
    register(plain, prefix, queues="mail,default")
    task(plain, prefix, "t1", queue="mail", state="executing", claim="w0/1.1", worker="w0")
    assert codes(examine()) == ["lost-task"]
    assert codes(examine("--fix")) == []
    assert plain.lrange(f"{prefix}:mail:pending", 0, -1) == [b"t1"]
    assert plain.hmget(f"{prefix}:task:t1", "state", "claim") == [b"pending", None]


@pytest.mark.parametrize("place", ["pending", "arrived", "scheduled", "parked", "held", "quarantine"])
def test_a_task_that_stands_somewhere_is_not_lost(examine, plain, prefix, place):
    register(plain, prefix, functions=("add", "mail"))
    state = "executing" if place == "held" else "pending"
    task(plain, prefix, "t1", queue="default", state=state, worker="w1", claim="w1/1.1")
    if place in ("pending", "arrived"):
        plain.lpush(f"{prefix}:default:{place}", "t1")
    elif place == "scheduled":
        plain.zadd(f"{prefix}:default:scheduled", {"t1": (plain.time()[0] + 60) * 1000})
    elif place == "parked":
        plain.zadd(f"{prefix}:default:parked", {"mail": 1})
        plain.lpush(f"{prefix}:default:parked:mail", "t1")
    elif place == "quarantine":
        plain.lpush(f"{prefix}:default:quarantine", "t1")
    else:
        plain.hset(f"{prefix}:held:w1", "t1", "w1/1.1 default")
        plain.lpush(f"{prefix}:default:executing", "t1")
    assert codes(examine()) == (["quarantine"] if place == "quarantine" else [])


def test_a_hash_without_a_function_is_told_and_left_to_a_person(examine, plain, prefix):
    plain.hset(f"{prefix}:task:t1", "args", "{}")
    assert codes(examine()) == ["half-task"]
    assert codes(examine("--fix")) == ["half-task"]


@pytest.mark.parametrize("places", [["pending", "pending"], ["arrived"], ["pending", "arrived"]])
def test_a_waiting_id_without_a_hash_is_found_and_goes_to_quarantine(examine, plain, prefix, places):
    register(plain, prefix)
    for place in places:
        plain.lpush(f"{prefix}:default:{place}", "gone")
    report = examine()
    assert codes(report) == ["pending-without-hash"]
    assert codes(examine("--fix")) == ["quarantine"]
    assert plain.exists(f"{prefix}:default:pending", f"{prefix}:default:arrived") == 0
    assert plain.lrange(f"{prefix}:default:quarantine", 0, -1) == [b"gone"]


def test_an_executing_id_without_a_hash_is_found_and_goes_to_quarantine(examine, plain, prefix):
    register(plain, prefix)
    plain.lpush(f"{prefix}:default:executing", "gone")
    assert codes(examine()) == ["executing-without-hash"]
    assert codes(examine("--fix")) == ["quarantine"]
    assert plain.llen(f"{prefix}:default:executing") == 0


def test_an_executing_id_whose_hash_was_deleted_under_its_worker_is_left_alone(examine, plain, prefix):
    register(plain, prefix)
    plain.lpush(f"{prefix}:default:executing", "t1")
    plain.hset(f"{prefix}:held:w1", "t1", "w1/1.1 default")
    assert codes(examine()) == []


def test_an_executing_id_that_nobody_holds_is_found_and_given_back(examine, plain, prefix):
    register(plain, prefix)
    task(plain, prefix, "t1", state="executing", worker="w0", claim="w0/1.1", queue="default")
    plain.lpush(f"{prefix}:default:executing", "t1")
    assert codes(examine()) == ["executing-unheld"]
    assert codes(examine("--fix")) == []
    assert plain.lrange(f"{prefix}:default:pending", 0, -1) == [b"t1"]
    assert plain.llen(f"{prefix}:default:executing") == 0


def test_an_executing_id_that_is_over_is_found_and_taken_away(examine, plain, prefix):
    register(plain, prefix)
    task(plain, prefix, "t1", state="finished", result="successful")
    plain.expire(f"{prefix}:task:t1", 100)
    plain.lpush(f"{prefix}:default:executing", "t1")
    assert codes(examine()) == ["executing-finished"]
    assert codes(examine("--fix")) == []
    assert plain.llen(f"{prefix}:default:executing") == 0
    assert plain.hget(f"{prefix}:task:t1", "state") == b"finished"


def test_a_foreign_worker_gets_an_hour_for_a_task(examine, plain, prefix):
    register(plain, prefix)
    for id, age in (("young", 3000), ("old", 4000)):
        task(plain, prefix, id, state="executing", **{"executing-created": ago(plain, age)})
        plain.lpush(f"{prefix}:default:executing", id)
    report = examine()
    assert codes(report) == ["executing-foreign"]
    assert row(report, "executing-foreign")["ids"] == ["old"]
    assert codes(examine("--fix")) == []
    assert plain.lrange(f"{prefix}:default:executing", 0, -1) == [b"young"]


@pytest.mark.parametrize(
    ("fields", "seconds"), [({}, 86_400), ({"result": "failed"}, 604_800), ({"result-ttl": "50"}, 50)]
)
def test_a_finished_task_without_a_lifetime_is_found_and_gets_one(examine, plain, prefix, fields, seconds):
    task(plain, prefix, "t1", **{"state": "finished", "result": "successful", **fields})
    assert codes(examine()) == ["kept-for-ever"]
    assert codes(examine("--fix")) == []
    assert 0 < plain.ttl(f"{prefix}:task:t1") <= seconds
    assert plain.ttl(f"{prefix}:task:t1") > seconds - 50


@pytest.mark.parametrize("place", ["pending", "arrived"])
def test_a_finished_task_that_says_keep_and_one_whose_id_still_waits_are_fine(examine, plain, prefix, place):
    register(plain, prefix)
    task(plain, prefix, "kept", state="finished", result="successful", **{"result-ttl": "keep"})
    task(plain, prefix, "cancelled", state="finished", result="failed", queue="default")
    plain.lpush(f"{prefix}:default:{place}", "cancelled")
    assert codes(examine("--fix")) == []
    assert plain.ttl(f"{prefix}:task:cancelled") == -1


def test_scheduled_tasks_long_overdue_are_found_and_moved(examine, plain, prefix):
    register(plain, prefix)
    for id in ("t1", "t2"):
        task(plain, prefix, id, queue="default")
        plain.zadd(f"{prefix}:default:scheduled", {id: (plain.time()[0] - 100) * 1000})
    report = examine()
    assert codes(report) == ["overdue"]
    assert row(report, "overdue")["count"] == 2
    assert codes(examine("--fix")) == []
    assert plain.llen(f"{prefix}:default:pending") == 2


def test_a_queue_that_nobody_knows_of_is_found_and_entered(examine, plain, prefix):
    register(plain, prefix, queues="default,mail")
    plain.srem(f"{prefix}:queues", "mail")
    task(plain, prefix, "t1", queue="mail")
    plain.zadd(f"{prefix}:mail:scheduled", {"t1": (plain.time()[0] + 60) * 1000})
    assert codes(examine()) == ["unlisted-queue"]
    assert codes(examine("--fix")) == []
    assert plain.sismember(f"{prefix}:queues", "mail")


def test_what_is_set_aside_is_told(examine, plain, prefix):
    task(plain, prefix, "t1", state="finished", result="failed", **{"error-code": "exited"})
    plain.expire(f"{prefix}:task:t1", 100)
    plain.zadd(f"{prefix}:default:failed", {"t1": 1})
    report = examine()
    assert codes(report) == ["failed"]
    assert "(exited 1)" in row(report, "failed")["what"]
    plain.lpush(f"{prefix}:default:quarantine", *range(7))
    seen = row(examine(), "quarantine")
    assert (seen["severity"], seen["count"], len(seen["ids"])) == ("warning", 7, 5)


def test_large_values_are_told(examine, plain, prefix):
    register(plain, prefix)
    large = "x" * ((1 << 20) + 1)
    task(plain, prefix, "t1", args=large)
    plain.lpush(f"{prefix}:default:pending", "t1")
    task(plain, prefix, "t2", state="finished", **{"result-value": large})
    task(plain, prefix, "t3", state="finished", **{"error-exception": large * 9})
    for id in ("t2", "t3"):
        plain.expire(f"{prefix}:task:{id}", 100)
    report = examine()
    assert codes(report) == ["large-args", "large-result", "large-task"]
    assert [row(report, code)["ids"] for code in codes(report)] == [["t1"], ["t2"], ["t3"]]


def test_long_lists_are_told():
    lengths = {"pending": 1_000_001, "executing": 10_001}
    facts = Facts("doshit", 1.0, workers=(Worker("w", 2000.0, ("q",)),), queues=(Queue("q", lengths=lengths),))
    assert [it.code for it in findings(facts)] == ["long-queue", "long-executing"]


def test_a_key_of_a_wrong_type_is_told_and_hides_nothing_else(examine, plain, prefix):
    plain.sadd(f"{prefix}:queues", "mail")
    spoilt = {f"{prefix}:{key}" for key in ("mail:pending", "mail:arrived", "mail:quarantine", "task:t1")}
    for key in spoilt:
        plain.set(key, "text")
    task(plain, prefix, "t2")
    report = examine()
    assert codes(report) == ["lost-task", *["wrong-type"] * 4]
    assert {row["where"] for row in report["findings"] if row["code"] == "wrong-type"} == spoilt


# Workers


@pytest.mark.parametrize("place", ["pending", "arrived"])
def test_a_queue_with_tasks_and_no_worker_is_told(examine, plain, prefix, place):
    register(plain, prefix, queues="other")
    task(plain, prefix, "t1")
    plain.lpush(f"{prefix}:default:{place}", "t1")
    report = examine()
    assert (codes(report), report["exit"]) == (["no-worker"], 1)
    register(plain, prefix, queues="default")
    assert codes(examine()) == []


def test_a_queue_whose_tasks_were_all_cancelled_needs_no_worker(examine, plain, prefix):
    register(plain, prefix, queues="other")
    for id, place in (("t1", "pending"), ("t0", "arrived")):
        task(plain, prefix, id, state="finished", result="failed", **{"error-code": "cancelled"})
        plain.lpush(f"{prefix}:default:{place}", id)
    assert "no-worker" not in codes(examine())
    task(plain, prefix, "t2")
    plain.lpush(f"{prefix}:default:pending", "t2")
    assert "wait: 1" in str(row(examine(), "no-worker"))


def test_a_queue_that_a_foreign_worker_may_serve_is_advice_only(examine, plain, prefix):
    plain.hset(f"{prefix}:worker:foreign", "name", "mine")
    task(plain, prefix, "t1")
    plain.lpush(f"{prefix}:default:pending", "t1")
    assert row(examine(), "no-worker")["severity"] == "advice"


def test_a_function_that_nobody_serves_is_told_with_its_tasks(examine, plain, prefix):
    register(plain, prefix)
    register(plain, prefix, "w2", queues="mail", functions=("send",), sha="c2")
    for id, function, place in (("t1", "add", "pending"), ("t2", "send", "pending"), ("t3", "typo", "arrived")):
        task(plain, prefix, id, function=function)
        plain.lpush(f"{prefix}:default:{place}", id)
    report = examine()
    assert codes(report) == ["unknown-function", "unknown-function"]
    assert sorted(row["ids"] for row in report["findings"] if row["code"] == "unknown-function") == [["t2"], ["t3"]]
    assert any("send on default, only on other queues" in row["what"] for row in report["findings"])


def test_two_signatures_of_one_function_are_told_and_a_description_is_none(examine, plain, prefix):
    register(plain, prefix)
    register(plain, prefix, "w2", sha="c2")
    described = {"doc": "other", "parameters": {"type": "object", "title": "Add", "properties": {}}}
    plain.hset(f"{prefix}:catalog:c1", "add", json.dumps({"parameters": {"type": "object", "properties": {}}}))
    plain.hset(f"{prefix}:catalog:c2", "add", json.dumps(described))
    assert codes(examine()) == []
    other = {"parameters": {"type": "object", "properties": {"title": {"type": "string"}}}}
    plain.hset(f"{prefix}:catalog:c2", "add", json.dumps(other))
    report = examine()
    assert codes(report) == ["signatures-differ"]
    assert row(report, "signatures-differ")["ids"] == ["w1", "w2"]


@pytest.mark.parametrize("lease", [-100.0, None])
def test_a_dead_worker_that_still_holds_tasks_is_told(examine, plain, prefix, lease):
    register(plain, prefix, lease=lease or 0)
    if lease is None:
        plain.zadd(f"{prefix}:workers", {"w1": -1})
    task(plain, prefix, "t1", state="executing", worker="w1", claim="w1/1.1", queue="default")
    plain.hset(f"{prefix}:held:w1", "t1", "w1/1.1 default")
    plain.lpush(f"{prefix}:default:executing", "t1")
    report = examine()
    assert codes(report) == ["dead-worker"]
    assert row(report, "dead-worker")["ids"] == ["w1"]


def test_tasks_held_by_a_worker_that_stands_nowhere_are_found_and_its_worker_is_sealed(examine, plain, prefix):
    register(plain, prefix)
    plain.hset(f"{prefix}:held:w0", "t1", "w0/1.1 default")
    assert codes(examine()) == ["stray-held"]
    assert codes(examine("--fix")) == []
    assert plain.zscore(f"{prefix}:workers", "w0") == -1


def test_duties_that_rest_although_workers_live_are_told(examine, plain, prefix):
    register(plain, prefix)
    now = plain.time()[0] * 1000
    plain.hset(f"{prefix}:duties", mapping={"recover": now - 60_000, "promote": now})
    report = examine()
    assert codes(report) == ["idle-duties"]
    assert re.match(r"recover was last done \d+ s ago", row(report, "idle-duties")["what"])
    plain.hset(f"{prefix}:duties", "recover", now + 600_000)
    assert "in the future" in row(examine(), "idle-duties")["what"]


# The server


def server_codes(**facts):
    return {it.code: it.severity for it in findings(Facts("doshit", 1000.0, **facts))}


def test_a_policy_that_evicts_is_found_and_set_right(start_server, examine):
    server = start_server()
    with redis.Redis.from_url(server.url) as plain:
        plain.config_set("maxmemory-policy", "allkeys-lru")
        plain.config_set("hash-max-listpack-value", 64)
        report = examine(url=server.url)
        assert codes(report) == ["compact-hashes", "eviction"]
        assert row(report, "eviction")["severity"] == "warning"
        plain.config_set("maxmemory", "100mb")
        assert row(examine(url=server.url), "eviction")["severity"] == "error"
        fixed = examine("--fix", url=server.url)
        assert codes(fixed) == []
        assert plain.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert all("configuration file" in row["said"] for row in fixed["done"])


def test_a_server_that_keeps_nothing_is_told_and_one_with_snapshots_gets_advice(start_server, examine):
    server = start_server()
    with redis.Redis.from_url(server.url) as plain:
        assert row(examine(url=server.url), "persistence")["severity"] == "warning"
        plain.config_set("save", "900 1")
        assert row(examine(url=server.url), "persistence")["severity"] == "advice"


def test_an_append_only_file_that_is_never_synced_is_found_and_set_right(start_server, examine):
    server = start_server(persist=True)
    with redis.Redis.from_url(server.url) as plain:
        assert examine(url=server.url)["findings"] == []
        plain.config_set("appendfsync", "no")
        assert codes(examine(url=server.url)) == ["fsync"]
        report = examine("--fix", url=server.url)
        assert (report["findings"], report["exit"]) == ([], 0)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"redis_version": "6.0.16"}, "version"),
        ({"role": "slave"}, "replica"),
        ({"cluster_enabled": 1}, "cluster-prefix"),
        ({"maxmemory_policy": "noeviction", "evicted_keys": 3}, "evicted"),
        ({"maxmemory": 100, "used_memory": 95}, "memory-full"),
        ({"aof_last_write_status": "err"}, "disk"),
        ({"rdb_last_bgsave_status": "err"}, "disk"),
        ({"aof_enabled": 0}, "persistence"),
    ],
)
def test_a_server_that_will_not_do_is_told(info, code):
    assert list(server_codes(info=info)) == [code]


def test_a_good_server_is_not_told():
    info = {"valkey_version": "8.0.1", "redis_version": "7.2.4", "role": "master", "aof_enabled": 1, "maxmemory": 0}
    assert server_codes(info=info, protocol="1", clock=Clock(0.5, 0.1, 0.1)) == {}


def test_clocks_that_differ_or_jump_are_told():
    assert server_codes(clock=Clock(-3600.0, 0.0, 0.0)) == {"clock-differs": Severity.ADVICE}
    assert server_codes(clock=Clock(1.5, 1.0, 0.0)) == {}
    assert server_codes(clock=Clock(0.0, 0.0, -20.0)) == {"clock-jumps": Severity.WARNING}
    assert server_codes(workers=(Worker("w1", 5_000_000.0),)) == {"clock-went-back": Severity.WARNING}


def test_another_version_of_the_protocol_is_told(examine, plain, prefix):
    plain.set(f"{prefix}:protocol", "2")
    assert codes(examine()) == ["protocol"]


# Bounds, rights and forms


def test_what_was_not_looked_at_is_said_and_deep_looks_at_all(examine, plain, prefix, monkeypatch):
    monkeypatch.setattr("doshit.cli.doctor.scan.TASKS_READ", 100)
    with plain.pipeline() as pipeline:
        for n in range(3000):
            pipeline.hset(f"{prefix}:task:t{n}", mapping={"state": "finished", "result-ttl": "keep"})
        pipeline.execute()
    task(plain, prefix, "lost", queue="default")
    assert any("tasks were looked at" in cut for cut in examine()["cut"])
    deep = examine("--deep")
    assert (deep["cut"], codes(deep)) == ([], ["lost-task"])


def test_pending_entries_that_were_not_asked_for_their_hash_are_said(examine, plain, prefix, monkeypatch):
    monkeypatch.setattr("doshit.cli.doctor.suspects.ASKED", 1)
    plain.lpush(f"{prefix}:default:pending", "gone1", "gone2")
    report = examine()
    assert report["cut"] == ["of 2 pending entries only 1 were asked for their hash"]
    assert row(report, "pending-without-hash")["count"] == 1
    assert row(examine("--deep"), "pending-without-hash")["count"] == 2


def test_a_task_whose_queue_may_not_have_been_seen_is_not_pushed(examine, plain, prefix, monkeypatch):
    monkeypatch.setattr("doshit.cli.doctor.read.SUSPECTS", 1)
    for id in ("t1", "t2"):
        task(plain, prefix, id)
    report = examine("--fix")
    assert "left alone" in report["done"][0]["said"]
    assert plain.llen(f"{prefix}:default:pending") == 0


def test_a_viewer_gets_a_report_that_says_what_it_may_not_read(examine, plain, redis_url, prefix):
    register(plain, prefix)
    task(plain, prefix, "t1")
    rules = ("on", ">secret", "resetkeys", f"~{prefix}:*", "-@all", "+@read", "+ping", "+hello", "+select", "+client")
    plain.execute_command("ACL", "SETUSER", "viewer", "reset", *rules)
    viewer = redis_url.replace("unix://", "unix://viewer:secret@")
    try:
        report = examine("--fix", url=viewer)
    finally:
        plain.execute_command("ACL", "DELUSER", "viewer")
    assert codes(report) == ["lost-task", "not-permitted"]
    assert {"INFO", "CONFIG GET", "TIME"} <= set(
        re.findall(r"[A-Z]+(?: [A-Z]+)?", row(report, "not-permitted")["what"])
    )
    assert report["done"][0]["said"].startswith("not fixed: ")
    assert plain.llen(f"{prefix}:default:pending") == 0


def test_the_command_speaks_to_a_person_and_ends_with_its_exit_code(doshit, plain, prefix):
    plain.lpush(f"{prefix}:default:quarantine", "evil\x1b[2J")
    said = doshit("doctor")
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.replace("\n", "").isprintable()
    assert f"warning  quarantine  {prefix}:default:quarantine" in said.stdout
    assert "DEL this list" in said.stdout
    assert doshit("doctor", "--json").returncode == 1


def test_a_server_that_is_away_is_one_line(doshit):
    said = doshit("doctor", "--redis", "redis://127.0.0.1:1/0")
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)


def test_every_finding_is_in_the_docs_with_its_severity_and_whether_it_is_fixed():
    page = (REPOSITORY / "docs" / "doctor.md").read_text()
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.*)$", page, re.MULTILINE))
    assert set(told) == set(KINDS)
    for code, rest in told.items():
        assert rest.startswith(KINDS[code].severity), code
        assert rest.endswith("| yes |" if KINDS[code].fix else "| no |"), code


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("app:task:pending", "task"),
        ("app:task:a\nb:pending", "task"),
        ("app:mail:pending", "pending"),
        ("app:mail:arrived", "arrived"),
        ("app:mail:parked:send", "parked-tasks"),
        ("app:workers", "workers"),
        ("app:worker:w1", "worker"),
        ("app:something", None),
        ("application:workers", None),
    ],
)
def test_a_key_is_known_by_the_table(key, name):
    known = Schema("app").known(key)
    assert (known and known.name) == name


# A healthy busy system


class Traffic(threading.Thread):
    """Producers of all kinds, who keep a few hundred tasks waiting until they are stopped."""

    def __init__(self, url, prefix):
        super().__init__()
        self._plain, self._prefix, self._stopped = redis.Redis.from_url(url), prefix, threading.Event()
        self._app = Doshit(url, prefix=prefix)

    def __enter__(self):
        self.start()

    def __exit__(self, *exception):
        self._stopped.set()
        self.join()
        self._app.close()
        self._plain.close()

    def run(self):
        numbers = count()
        while not self._stopped.wait(0.01):
            if self._plain.llen(f"{self._prefix}:default:pending") > 500:
                continue
            for n in islice(numbers, 200):
                self._plain.hset(f"{self._prefix}:task:{n}", mapping={"function": "nap", "args": '{"seconds": 0.001}'})
                self._plain.lpush(f"{self._prefix}:default:pending", n)
            self._app.enqueue_many([self._app.job("add", {"a": n, "b": 1}) for n in range(50)])
            self._app.enqueue("nap", {"seconds": 0.2}, delay=0.3)
            self._app.enqueue("echo", {"text": "x"}, result_ttl=0.01)


def test_a_healthy_busy_system_has_no_finding(start_server, start_doshit, examine, prefix, monkeypatch):
    monkeypatch.setattr(read, "SECOND_LOOK", 1.0)
    server = start_server(persist=True)
    target = REPOSITORY / "python" / "tests" / "conformance" / "tasks.py"
    worker = start_doshit("worker", f"{target}:app", "-c", "2", DOSHIT_REDIS=server.url)
    with redis.Redis.from_url(server.url) as plain:
        while not plain.exists(f"{prefix}:workers"):
            assert worker.poll() is None, worker.stderr.read()
            time.sleep(0.01)
        with Traffic(server.url, prefix):
            while plain.dbsize() < 1000:
                time.sleep(0.01)
            for _ in range(2):
                report = examine(url=server.url)
                assert (report["findings"], report["cut"], report["exit"]) == ([], [], 0)
