"""A cluster of three masters: an app with a tag lives in one slot, and is followed wherever that goes."""

import asyncio
import threading
import time
from typing import Any

import pytest

from doshit import Doshit
from doshit.errors import ConfigurationError, ServerUnsuitable
from doshit.transport import SyncFace, route_to
from doshit.transport.route import slot_of
from worker.workers import World, until

PREFIX = "{jobs}"


def add_on(app: Doshit) -> Any:
    return app.enqueue("add", {"a": 1, "b": 2}).result(timeout=25)


def test_the_slot_of_a_prefix_is_the_servers_own(cluster):
    for prefix in (PREFIX, "{a.b-c}", "x{0}y"):
        assert slot_of(prefix) == cluster.owner.client.execute_command("CLUSTER", "KEYSLOT", f"{prefix}:task:1")
    assert slot_of("doshit") is None


def test_any_node_of_a_cluster_leads_to_the_owner_of_the_slot(cluster, start_worker):
    worker = start_worker(f"redis://{cluster.others[0].host}", PREFIX)
    for node in cluster.nodes:
        with Doshit(f"redis://{node.host}", prefix=PREFIX) as app:
            assert add_on(app) == 3

    async def ask() -> Any:
        async with Doshit(f"redis+cluster://127.0.0.1:1,{cluster.others[1].host}", prefix=PREFIX) as app:
            return await (await app.aenqueue("add", {"a": 2, "b": 2})).aresult(timeout=25)

    assert asyncio.run(ask()) == 4
    assert "MOVED" not in worker.log()


def test_an_app_that_does_not_tell_its_prefix_follows_the_first_moved(cluster):
    face = SyncFace(f"redis://{cluster.others[0].host}")
    try:
        assert face.command("LPUSH", f"{PREFIX}:default:pending", "1") == 1
        assert face.fields(f"{PREFIX}:task:1", ["state"]) == [None]
    finally:
        face.close()
    assert cluster.owner.client.llen(f"{PREFIX}:default:pending") == 1


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_prefix_without_a_tag_is_refused_with_the_remedy(cluster, scheme):
    face = None
    with pytest.raises((ServerUnsuitable, ConfigurationError), match=r"--prefix '\{plain\}'"):
        face = SyncFace(f"{scheme}://{cluster.owner.host}")
        face.check("plain")
    if face is not None:
        face.close()
    slot = cluster.owner.client.execute_command("CLUSTER", "KEYSLOT", "plain:")
    elsewhere = next(node for node in cluster.masters if not cluster.owns(node, slot))
    with Doshit(f"redis://{elsewhere.host}", prefix="plain") as app, pytest.raises(ServerUnsuitable, match="a tag"):
        app.enqueue("add", {"a": 1, "b": 2})


def test_a_shard_that_fails_over_is_followed_by_workers_and_clients(cluster, start_worker):
    url = f"redis://{cluster.owner.host}"
    worker = start_worker(url, PREFIX)
    with Doshit(url, prefix=PREFIX) as app:
        assert add_on(app) == 3
        world = World(cluster.replica.client, PREFIX)
        cluster.owner.kill()
        until(lambda: cluster.replica.role() == "master", what="the replica has taken over")
        began = time.monotonic()
        assert add_on(app) == 3
        assert time.monotonic() - began < 15
        until(lambda: len(world.workers()) == 1, what="the worker beats at the new owner")
    assert worker.process.poll() is None


def test_a_connection_made_first_after_the_named_node_died_finds_the_others_by_what_this_process_knows(cluster):
    url = f"redis://{cluster.owner.host}"
    route_to(url, PREFIX).find()
    cluster.owner.kill()
    until(lambda: cluster.replica.role() == "master", what="the replica has taken over")
    assert route_to(url, PREFIX).find()


def test_a_slot_under_way_is_waited_for_and_then_followed(cluster, start_worker):
    url = f"redis://{cluster.others[0].host}"
    worker = start_worker(url, PREFIX)
    target = cluster.others[1]
    with Doshit(url, prefix=PREFIX) as app:
        assert add_on(app) == 3
        cluster.begin_move(target)
        said: list[int] = []
        waiter = threading.Thread(target=lambda: said.append(add_on(app)))
        waiter.start()
        # While keys are on two nodes a script cannot see them all: nothing is written to the new one before its time.
        waiter.join(0.7)
        assert waiter.is_alive()
        assert target.client.execute_command("CLUSTER", "COUNTKEYSINSLOT", cluster.slot) == 0
        cluster.end_move(target)
        waiter.join(25)
    assert said == [3]
    assert worker.process.poll() is None


def test_a_url_of_a_single_server_serves_a_prefix_with_a_tag_too(start_node):
    node = start_node()
    route = route_to(f"redis://{node.host}/1", PREFIX)
    assert (route.find(), route.asks, route.moves) == (f"redis://{node.host}/1", False, False)
