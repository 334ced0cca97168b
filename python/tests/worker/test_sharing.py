"""How work is spread over children and workers: nothing short waits behind what is long, and nothing runs twice."""

from worker.workers import count_tasks, until

WELL = {"a": 1, "b": 1}


def warm(world, count=300):
    """Has the worker learned that these runs are short, so that it hands out large batches."""
    world.all_ended(world.push_all([(f"warm{n}", "add", WELL) for n in range(count)]))


def test_two_workers_on_one_queue_share_it_and_run_nothing_twice(start_worker, world, ledger, endings):
    workers = [start_worker(children=2), start_worker(children=2)]
    ids = world.push_all(count_tasks(ledger, range(3000), "count_slowly"))
    world.all_ended(ids)
    assert sorted(ledger.runs(), key=int) == ids
    assert world.fields(ids, "attempts", "lost") == [["1", None]] * 3000
    assert endings() == dict.fromkeys(map(world.task_key, ids), 1)
    served = {int(line.split(" ")[1]) for line in ledger.lines()}
    assert all(served & set(worker.children()) for worker in workers)
    world.at_rest()


def test_tasks_pushed_one_by_one_run_once_each_between_two_waiting_workers(start_worker, world, ledger):
    start_worker()
    start_worker()
    ids = []
    for task in count_tasks(ledger, range(200)):
        ids += world.push_all([task])
        if len(ids) % 3 == 0:
            world.ended(ids[-1])
    world.all_ended(ids)
    assert sorted(ledger.runs(), key=int) == ids
    assert world.fields(ids, "attempts") == [["1"]] * 200
    world.at_rest()


def test_short_tasks_behind_long_ones_run_while_one_child_is_free(start_worker, world, gate):
    start_worker(children=4)
    warm(world)
    tasks = [(str(n), "add", WELL) for n in range(600)]
    for name, place in (("a", 0), ("b", 200), ("c", 400)):
        tasks.insert(place, (name, "block", gate.args(name)))
    world.push_all(tasks)
    shorts = [str(n) for n in range(600)]
    world.all_ended(shorts)
    gate.await_begun("a", "b", "c")
    assert world.fields("abc", "state") == [["executing"]] * 3
    assert world.fields(shorts, "attempts", "lost") == [["1", None]] * 600
    gate.open()
    world.all_ended("abc")
    assert [gate.runs(name) for name in "abc"] == [1, 1, 1]


def test_one_long_task_in_a_hundred_costs_no_short_one_its_run(start_worker, world):
    start_worker(children=2)
    warm(world)
    tasks = [(f"long{n}", "spin", {"seconds": 0.1}) if n % 100 == 50 else (str(n), "add", WELL) for n in range(1000)]
    ids = world.push_all(tasks)
    world.all_ended(ids)
    assert world.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * 1000
    world.at_rest()


def test_what_waits_behind_a_long_run_goes_to_another_worker(start_worker, world, gate):
    start_worker()
    warm(world)
    ids = world.push_all([("long", "block", gate.args("long")), *((str(n), "add", WELL) for n in range(50))])
    gate.await_begun("long")
    start_worker()
    ids.remove("long")
    world.all_ended(ids)
    assert world.task("long")["state"] == "executing"
    assert world.fields(ids, "attempts", "lost") == [["1", None]] * 50


def test_a_worker_whose_children_are_all_busy_holds_nothing_but_their_runs(start_worker, world, gate):
    start_worker(children=2)
    warm(world)
    world.push_all([(name, "block", gate.args(name)) for name in "ab"])
    gate.await_begun("a", "b")
    ids = world.push_all([(str(n), "add", WELL) for n in range(100)])
    until(lambda: sorted(world.entries()) == [b"a", b"b"])
    assert len(world.entries(which="pending")) == 100
    gate.open()
    world.all_ended(ids)


def test_the_order_survives_a_hand_back(start_worker, world, gate, ledger):
    start_worker()
    warm(world)
    world.push("long", "block", gate.args("long"))
    gate.await_begun("long")
    ids = world.push_all(count_tasks(ledger, range(300)))
    gate.open()
    world.all_ended(ids)
    assert ledger.runs() == ids


def test_large_args_of_many_tasks_pass_whole(start_worker, world):
    start_worker(children=2)
    ids = world.push_all([(str(n), "any_value", {"value": "x" * 1_000_000}) for n in range(40)])
    world.all_ended(ids)
    assert world.fields(ids, "result-value", "attempts") == [["1000000", "1"]] * 40


def test_large_results_of_many_tasks_pass_whole(start_worker, world):
    start_worker(children=2)
    ids = world.push_all([(str(n), "big", {"size": 1_000_000}) for n in range(40)])
    world.all_ended(ids)
    assert {world.client.hstrlen(world.task_key(id), "result-value") for id in ids} == {1_000_002}


def test_a_run_knows_its_id_its_attempt_and_its_claim(start_worker, world):
    start_worker()
    world.push("who", "myself")
    world.all_ended(["who"])
    me = world.value("who")
    assert (me["id"], me["function"], me["attempt"]) == ("who", "myself", 1)
    assert [[me["claim"]]] == world.fields(["who"], "claim")
