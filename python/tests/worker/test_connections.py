"""What Redis and the network may do to a worker: lost replies, cut lines, a server that stalls, dies or forgets."""

import os
import signal
import time

from worker.workers import count_tasks, until

STALL = 4.0  # seconds; under a lease


def each_ran_once(world, ledger, endings, ids):
    world.at_rest()
    assert world.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * len(ids)
    assert sorted(ledger.runs(), key=int) == ids
    assert endings() == dict.fromkeys(map(world.task_key, ids), 1)


def test_a_lost_reply_to_every_fifth_script_call_strands_and_doubles_nothing(
    start_proxy, start_worker, world, ledger, endings, redis_url
):
    proxy = start_proxy(redis_url, drop_every=5)
    worker = start_worker(children=2, url=proxy.url)
    ids = world.push_all(count_tasks(ledger, range(1000)))
    world.all_ended(ids)
    for first in range(1000, 2000, 40):
        wave = world.push_all(count_tasks(ledger, range(first, first + 40)))
        world.all_ended(wave)
        ids += wave
    assert proxy.dropped > 20
    assert worker.process.poll() is None
    # What the claim behind a wait took when its connection was cut is answered by the same request again.
    each_ran_once(world, ledger, endings, ids)


def test_a_worker_whose_connections_are_all_cut_five_times_goes_on(
    start_proxy, start_worker, world, ledger, endings, redis_url
):
    proxy = start_proxy(redis_url)
    worker = start_worker("default", "other", children=2, url=proxy.url)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    for round in range(5):
        ledger.await_lines(50 + 300 * round)
        cut_and_await_reconnect(proxy)
    world.all_ended(ids)
    each_ran_once(world, ledger, endings, ids)
    assert worker.process.poll() is None


def cut_and_await_reconnect(proxy):
    accepted = proxy.accepted
    proxy.cut()
    until(lambda: proxy.accepted > accepted)


def test_connections_cut_under_an_idle_worker_come_back(start_proxy, start_worker, world, redis_url):
    proxy = start_proxy(redis_url)
    worker = start_worker("default", "other", url=proxy.url)
    for round in range(5):
        proxy.cut()
        world.push(f"it{round}", "add", {"a": round, "b": 1})
        assert world.value(f"it{round}") == round + 1
    world.at_rest()
    assert worker.process.poll() is None


def test_replies_that_come_byte_by_byte_are_read_all_the_same(
    start_proxy, start_worker, world, ledger, endings, redis_url
):
    proxy = start_proxy(redis_url, shred=True)
    start_worker(children=2, url=proxy.url)
    ids = world.push_all(count_tasks(ledger, range(300)))
    world.all_ended(ids)
    each_ran_once(world, ledger, endings, ids)


def test_a_half_open_connection_is_given_up_and_nothing_is_lost(
    start_proxy, start_worker, world, ledger, endings, redis_url
):
    proxy = start_proxy(redis_url)
    worker = start_worker(children=2, url=proxy.url)
    ids = world.push_all(count_tasks(ledger, range(500), "count_slowly"))
    ledger.await_lines(50)
    proxy.hold()
    time.sleep(STALL)
    proxy.release()
    world.all_ended(ids)
    each_ran_once(world, ledger, endings, ids)
    assert worker.process.poll() is None


def test_redis_stopped_for_seconds_costs_no_run(start_worker, ledger, gate, own_world):
    server, world = own_world
    workers = [start_worker(children=2, url=server.url), start_worker(children=2, url=server.url)]
    names = world.workers().keys()
    ids = world.push_all(count_tasks(ledger, range(1000), "count_slowly"))
    world.push("held", "block", gate.args("held"))
    ledger.await_lines(100)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(STALL)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    gate.open()
    world.all_ended([*ids, "held"])
    world.at_rest()
    assert world.fields(ids, "result", "attempts", "lost") == [["successful", "1", None]] * 1000
    assert (sorted(ledger.runs(), key=int), gate.runs("held")) == (ids, 1)
    assert world.workers().keys() == names
    assert [worker.process.poll() for worker in workers] == [None, None]


def test_redis_killed_and_started_again_from_its_log_loses_no_task(start_worker, ledger, own_world):
    server, world = own_world
    worker = start_worker("default", "other", children=2, url=server.url)
    for round in range(3):
        ids = world.push_all(count_tasks(ledger, range(round * 500, round * 500 + 500), "count_slowly"))
        ledger.await_lines(500 * round + 100)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server.start()
        world.all_ended(ids)
    ids = [str(n) for n in range(1500)]
    assert world.fields(ids, "result", "lost") == [["successful", None]] * 1500
    assert sorted(ledger.runs(), key=int) == ids
    world.push("after", "pid", queue="other")
    assert world.value("after") > 0
    assert worker.process.poll() is None
    world.at_rest()


def test_forgotten_scripts_are_never_noticed(start_worker, world, ledger, endings):
    worker = start_worker(children=2)
    ids = world.push_all(count_tasks(ledger, range(2000), "count_slowly"))
    while len(ledger.lines()) < len(ids):
        world.client.script_flush()
    world.all_ended(ids)
    each_ran_once(world, ledger, endings, ids)
    assert "NOSCRIPT" not in worker.log()


def test_a_worker_whose_connections_are_killed_again_and_again_loses_nothing(start_worker, world, ledger, endings):
    worker = start_worker("default", "other", children=2)
    ids = world.push_all(count_tasks(ledger, range(3000), "count_slowly"))
    rounds = 0
    while len(ledger.lines()) < 2500 and rounds < 60:
        kill_connections(world)
        rounds += 1
        until(lambda: connections(world), what="the worker is connected again")
    assert rounds > 5
    world.all_ended(ids)
    each_ran_once(world, ledger, endings, ids)
    assert worker.process.poll() is None


def connections(world):
    return [client["id"] for client in world.client.client_list() if client["name"].startswith("doshit-worker")]


def kill_connections(world):
    for client in world.client.client_list():
        if client["name"].startswith("doshit-"):
            world.client.execute_command("CLIENT", "KILL", "ID", client["id"])


def test_a_server_that_is_full_refuses_nothing_that_ends_a_task(start_worker, world, gate):
    start_worker(children=2)
    world.push_all([(name, "block", gate.args(name)) for name in "ab"])
    gate.await_begun("a", "b")
    world.push_all([("waits", "pid", None)])
    world.client.config_set("maxmemory-policy", "noeviction")
    world.client.config_set("maxmemory", 1)
    try:
        gate.open()
        world.all_ended(["a", "b"])
    finally:
        world.client.config_set("maxmemory", 0)
    assert world.value("waits") > 0
    world.at_rest()
