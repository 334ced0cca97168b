"""A server that only copies another: refused at the start, and waited through while a worker runs."""

import pytest

from doshit import Doshit
from doshit.errors import ServerError, ServerUnsuitable
from worker.workers import World, until


@pytest.fixture
def pair(start_node):
    primary, replica = start_node(), start_node()
    replica.replicate(primary)
    return primary, replica


def test_a_worker_refuses_to_start_on_a_replica_and_says_what_to_do(pair, start_worker):
    worker = start_worker(f"redis://{pair[1].host}/0", "doshit")
    assert worker.wait() == 1
    assert "read-only replica; use the URL of the primary" in worker.log()


def test_an_enqueue_at_a_replica_says_what_to_do(pair):
    with Doshit(f"redis://{pair[1].host}/0") as app, pytest.raises(ServerUnsuitable, match="URL of the primary"):
        app.enqueue("add", {"a": 1, "b": 2})


def test_a_server_demoted_for_a_while_is_waited_for(pair, start_worker):
    primary, other = pair
    url = f"redis://{primary.host}/0"
    worker = start_worker(url, "doshit")
    with Doshit(url) as app:
        assert app.enqueue("add", {"a": 1, "b": 2}).result(timeout=25) == 3
        other.client.execute_command("REPLICAOF", "NO", "ONE")
        primary.replicate(other)
        with pytest.raises(ServerError, match="replica"):
            app.enqueue("add", {"a": 1, "b": 2})
        until(lambda: "another server has to be found" in worker.log(), what="the worker has noticed")
        primary.client.execute_command("REPLICAOF", "NO", "ONE")
        assert app.enqueue("add", {"a": 3, "b": 2}).result(timeout=25) == 5
    assert len(World(primary.client, "doshit").workers()) == 1
    assert worker.process.poll() is None


def test_a_full_server_refuses_a_producer_clearly_and_is_used_again_when_there_is_room(start_node):
    node = start_node("maxmemory-policy noeviction")
    with Doshit(f"redis://{node.host}/0") as app:
        app.enqueue("add", {"a": 1, "b": 2})
        node.client.config_set("maxmemory", 1)
        with pytest.raises(ServerError, match="reached its maxmemory; free memory or raise it, then submit again"):
            app.enqueue("add", {"a": 1, "b": 2})
        node.client.config_set("maxmemory", 0)
        app.enqueue("add", {"a": 1, "b": 2})
    assert node.client.llen("doshit:default:pending") == 2
