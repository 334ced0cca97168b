"""What strangers may push: every row of bad input, against a live worker that goes on with the same processes."""

import json
import signal

import pytest

from worker.workers import OTHER_TASKS, until

WELL = {"a": 1, "b": 1}
DEEP = '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}"
PROTO = '{"text": {"a": [{"__proto__": {"polluted": 1}}]}}'

# function, args as they are pushed, error code, a word of the reason
REFUSED = [
    ("echo", "[1]", "bad-args", "object"),
    ("echo", "3", "bad-args", "object"),
    ("echo", '"text"', "bad-args", "object"),
    ("echo", "null", "bad-args", "object"),
    ("echo", "true", "bad-args", "object"),
    ("echo", '{"text": ', "bad-args", "JSON"),
    ("echo", "{'text': 1}", "bad-args", "JSON"),
    ("echo", '{"text": 1} {}', "bad-args", "JSON"),
    ("echo", '{"text": 1,}', "bad-args", "JSON"),
    ("echo", "text=1", "bad-args", "JSON"),
    ("echo", '{"text": NaN}', "bad-args", "JSON"),
    ("echo", '{"text": Infinity}', "bad-args", "JSON"),
    ("echo", "\ufeff{}", "bad-args", "JSON"),
    ("echo", b'{"text": "\xff\xfe"}', "bad-args", "UTF-8"),
    ("echo", b'{"text": "\xed\xa0\x80"}', "bad-args", "UTF-8"),
    ("echo", b"\x00", "bad-args", "JSON"),
    ("echo", DEEP, "bad-args", "deep"),
    ("echo", "[" * 100_000, "bad-args", ""),
    ("echo", '{"text": ' + "9" * 5000 + "}", "bad-args", "out of range"),
    ("echo", '{"text": 1e999}', "bad-args", "number"),
    ("echo", PROTO, "bad-args", "__proto__"),
    ("echo", r'{"text": {"\u005f_proto__": 1}}', "bad-args", "__proto__"),
    ("echo", json.dumps({"text": "x" * (1 << 20)}), "bad-args", "bytes"),
    ("add", "{}", "bad-args", "a"),
    ("add", '{"a": 1}', "bad-args", "b"),
    ("add", '{"a": 1, "b": 2, "surplus": 3}', "bad-args", "surplus"),
    ("add", '{"a": 1, "b": "two"}', "bad-args", "b"),
    ("add", '{"a": 1, "b": 2.5}', "bad-args", "b"),
    ("add", '{"a": 1, "b": null}', "bad-args", "b"),
    ("add", '{"a": 1, "self": 1, "b": 2}', "bad-args", "self"),
    ("ecko", "{}", "unknown-function", "echo"),
    ("Echo", "{}", "unknown-function", "echo"),
    ("os.system", "{}", "unknown-function", ""),
    ("__init__", "{}", "unknown-function", ""),
    ("", "{}", "unknown-function", ""),
    (b"\xff\xfe", "{}", "unknown-function", ""),
    ("ec\r\nho\x1b[31m", "{}", "unknown-function", ""),
    ("x" * 255, "{}", "unknown-function", ""),
    ("x" * 256, "{}", "bad-task", "function"),
]


def test_a_bad_task_fails_with_its_reason_and_the_worker_keeps_its_processes(start_worker, world):
    worker = start_worker(children=2, unknown_grace=0)
    world.push("first", "pid")
    world.ended("first")
    until(lambda: worker.is_whole(2))
    processes = worker.tree()
    ids = world.push_all([(str(n), *row[:2]) for n, row in enumerate(REFUSED)])
    well = world.push_all([(f"well{n}", "add", WELL) for n in range(20)])
    world.all_ended(ids + well)
    strange = {}
    for id, (function, args, code, word) in zip(ids, REFUSED, strict=True):
        task = world.task(id)
        reason = task.get("error-reason", "")
        if task.get("error-code") != code or word not in reason or not reason or not reason.isprintable():
            strange[function, args[:40]] = task
    assert strange == {}
    assert world.fields(well, "result", "attempts") == [["successful", "1"]] * 20
    assert (worker.process.poll(), worker.tree()) == (None, processes)
    world.at_rest()


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"state": "bananas"}, "bad-task", "state"),
        ({"time-limit": "soon"}, "bad-task", "time-limit"),
        ({"memory-limit": "-1"}, "bad-task", "memory-limit"),
        ({"retries": "1.5"}, "bad-task", "retries"),
        ({"result-ttl": "nan"}, "bad-task", "result-ttl"),
        ({"expires": "tomorrow"}, "bad-task", "expires"),
        ({"expires": "2015-12-05T00:19:01.834909Z"}, "expired", "2015-12-05"),
    ],
)
def test_a_field_that_cannot_be_meant_fails_the_task_and_is_named(start_worker, world, ledger, fields, code, word):
    start_worker()
    world.push("it", "count", {"ledger": str(ledger), "name": "it"}, **fields)
    task = world.ended("it")
    assert (task["error-code"], word in task["error-reason"]) == (code, True)
    assert ledger.lines() == []


def test_a_hash_with_args_but_no_function_fails(start_worker, world):
    start_worker()
    world.client.hset(world.task_key("it"), "args", "{}")
    world.client.lpush(world.key("default", "pending"), "it")
    assert world.ended("it")["error-code"] == "bad-task"


STRANGE_IDS = [
    b"", b" ", b"a b  c", b"line\nbreak\r\n", b"\xff\xfe\x00", b"\x1b[31mred", b"a:b:c", b"../../etc", b"%s%d{}",
    b"{tag}", b"*", b"'\"\\", b"-1", "\N{SNOWMAN}\N{PILE OF POO}".encode(), b"x" * 255,
]  # fmt: skip


def test_an_id_is_any_bytes_up_to_255(start_worker, world, endings):
    worker = start_worker(children=2)
    world.push_all([(id, "add", WELL) for id in [*STRANGE_IDS, b"y" * 256, b"after"]])
    world.all_ended([*STRANGE_IDS, b"after"])
    assert world.fields(STRANGE_IDS, "result", "result-value", "attempts") == [["successful", "2", "1"]] * 15
    until(lambda: world.entries(which="quarantine") == [b"y" * 255])
    assert endings() == dict.fromkeys([world.task_key(id) for id in [*STRANGE_IDS, b"after"]], 1)
    world.at_rest()
    assert worker.process.poll() is None


def test_strange_ids_survive_a_failing_run_and_a_hand_back(start_worker, world, gate):
    worker = start_worker(grace=0.1)
    world.push(b"\xff \n", "block", gate.args("it"))
    gate.await_begun("it")
    assert worker.stop() == 0
    assert world.entries(which="pending") == [b"\xff \n"]
    start_worker()
    world.push(b"\xfe \n", "fail", {"message": "x"})
    gate.open()
    assert world.value(b"\xff \n") == "it"
    assert world.ended(b"\xfe \n")["error-code"] == "exception"


def test_an_id_pushed_before_its_hash_runs_when_the_hash_comes_and_without_one_is_quarantined(start_worker, world):
    worker = start_worker(children=2)
    ids = [f"early{n}" for n in range(20)]
    world.client.lpush(world.key("default", "pending"), *ids, "never1", "never2")
    until(lambda: world.client.zcard(world.key("default", "waiting")) == 22, what="all are waiting for their hash")
    for id in ids:
        world.client.hset(world.task_key(id), mapping={"function": "add", "args": '{"a": 1, "b": 1}'})
    world.all_ended(ids)
    assert world.fields(ids, "result", "attempts") == [["successful", "1"]] * 20
    until(lambda: sorted(world.entries(which="quarantine")) == [b"never1", b"never2"])
    world.at_rest()
    assert world.client.zcard(world.key("default", "waiting")) == 0
    assert not world.client.exists(world.task_key("never1"))
    assert worker.process.poll() is None


def test_an_id_pushed_again_runs_once_whenever_it_comes(start_worker, world, ledger, gate):
    start_worker(children=2)
    pending = world.key("default", "pending")
    world.push("twice", "count", {"ledger": str(ledger), "name": "twice"})
    world.client.lpush(pending, "twice", "twice")
    world.push("running", "block", gate.args("running"))
    gate.await_begun("running")
    world.client.lpush(pending, "running", "running")
    world.ended("twice")
    world.client.lpush(pending, "twice")
    until(lambda: not world.entries(which="pending"))
    assert world.entries() == [b"running"]
    gate.open()
    world.ended("running")
    world.at_rest()
    assert (ledger.runs(), gate.runs("running")) == (["twice"], 1)
    assert world.fields(["twice", "running"], "attempts") == [["1"], ["1"]]


def test_a_finished_task_that_is_set_to_pending_again_runs_again(start_worker, world):
    start_worker()
    world.push("it", "fail", {"message": "first"})
    world.ended("it")
    world.push("it", "echo", {"text": "second"})
    until(lambda: world.task("it").get("result") == "successful")
    assert "error-code" not in world.task("it")


def test_a_hash_deleted_while_its_task_runs_is_written_anew_with_its_end(start_worker, world, gate, endings):
    start_worker(result_ttl=500)
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    world.client.delete(world.task_key("it"))
    gate.open()
    assert world.value("it") == "it"
    assert 400 < world.client.ttl(world.task_key("it")) <= 500
    assert endings() == {world.task_key("it"): 1}
    world.at_rest()


def test_a_hash_replaced_by_another_type_while_its_task_runs_costs_that_task_only(start_worker, world, gate):
    worker = start_worker()
    world.push("it", "block", gate.args("it"))
    gate.await_begun("it")
    world.client.delete(world.task_key("it"))
    world.client.set(world.task_key("it"), "spoilt")
    gate.open()
    world.push("next", "add", WELL)
    assert world.value("next") == 2
    world.at_rest()
    assert world.client.get(world.task_key("it")) == b"spoilt"
    assert worker.process.poll() is None


def test_a_task_key_of_another_type_is_quarantined(start_worker, world):
    worker = start_worker()
    for id, command in (("string", ("SET", "x")), ("list", ("LPUSH", "x")), ("set", ("SADD", "x"))):
        world.client.execute_command(command[0], world.task_key(id), command[1])
        world.client.lpush(world.key("default", "pending"), id)
    world.push("next", "add", WELL)
    assert world.value("next") == 2
    assert sorted(world.entries(which="quarantine")) == [b"list", b"set", b"string"]
    world.at_rest()
    assert worker.process.poll() is None


KINDS = ["pending", "executing", "scheduled", "waiting", "parked", "quarantine"]


def test_a_key_of_another_type_takes_out_its_own_queue_only_and_for_a_while(start_worker, world):
    for kind in KINDS:
        if kind != "pending":
            world.push(kind, "add", WELL, f"bad-{kind}")
        world.client.set(world.key(f"bad-{kind}", kind), "no list")
    worker = start_worker(*(f"bad-{kind}" for kind in KINDS), "default")
    ids = world.push_all([(str(n), "add", WELL) for n in range(50)])
    world.all_ended(ids)
    until(lambda: all(f":bad-{kind}:{kind} is a string" in worker.log() for kind in KINDS))
    for kind in KINDS:
        world.client.delete(world.key(f"bad-{kind}", kind))
    world.push("pending", "add", WELL, "bad-pending")
    world.all_ended(KINDS)
    assert worker.process.poll() is None


def test_a_key_that_goes_bad_under_a_waiting_worker_does_not_stop_its_other_queues(start_worker, world):
    worker = start_worker("bad", "default")
    world.push("first", "add", WELL, "bad")
    world.value("first")
    world.client.delete(world.key("bad", "pending"))
    world.client.set(world.key("bad", "pending"), "no list")
    for n in range(10):
        world.push(f"d{n}", "add", WELL)
        world.value(f"d{n}")
    assert worker.process.poll() is None


def test_an_unknown_function_waits_for_its_grace_and_runs_when_a_worker_with_it_comes(start_worker, world):
    start_worker(unknown_grace=50)
    world.push("it", "multiply", {"a": 6, "b": 7})
    until(lambda: "unknown-since" in world.task("it"))
    assert world.task("it")["state"] in ("pending", "executing")
    start_worker(target=OTHER_TASKS)
    assert world.value("it") == 42
    assert world.task("it")["attempts"] == "1"
    world.at_rest()


def test_an_unknown_function_fails_when_its_grace_is_over(start_worker, world):
    start_worker(unknown_grace=1)
    world.push("it", "mulitply", {"a": 6, "b": 7})
    task = world.ended("it")
    assert (task["error-code"], task["result"]) == ("unknown-function", "failed")
    assert "mulitply" in task["error-reason"]
    world.at_rest()


@pytest.mark.parametrize("children", [1, 2])
def test_two_workers_with_different_functions_on_one_queue_do_all_of_a_mix(start_worker, world, children):
    start_worker(children=children)
    start_worker(target=OTHER_TASKS, children=children)
    mix = [(str(n), "add" if n % 2 else "multiply", {"a": n, "b": 2}) for n in range(200)]
    ids = world.push_all(mix)
    world.all_ended(ids)
    assert world.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * 200
    assert [world.value(id) for id in ids] == [n + 2 if n % 2 else n * 2 for n in range(200)]
    world.at_rest()


def test_parked_tasks_are_set_free_when_the_worker_that_serves_them_has_gone(start_worker, world):
    start_worker(unknown_grace=50)
    other = start_worker(target=OTHER_TASKS)
    other.signal(signal.SIGSTOP)
    try:
        ids = world.push_all([(str(n), "multiply", {"a": n, "b": 2}) for n in range(20)])
        until(lambda: world.client.llen(world.key("default", "parked", "multiply")) >= 10)
    finally:
        other.kill()
    start_worker(target=OTHER_TASKS)
    world.all_ended(ids)
    assert world.fields(ids, "result") == [["successful"]] * 20
    world.at_rest()
