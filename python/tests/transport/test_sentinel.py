"""Sentinels name the primary: at the start, and after it has gone."""

import asyncio
import time
from typing import Any

import pytest

from doshit import Doshit
from doshit.errors import ServerError, ServerUnavailable
from doshit.transport import SyncFace, route_to
from transport.nodes import Watched
from worker.workers import World, until


def add_on(app: Doshit) -> Any:
    return app.enqueue("add", {"a": 1, "b": 2}).result(timeout=25)


def test_a_failover_is_followed_by_workers_and_clients_within_seconds(watched, start_worker):
    url = f"redis+sentinel://127.0.0.1:1,{watched.hosts}/jobs/0"
    worker = start_worker(url, "doshit")
    with Doshit(url) as app:
        assert add_on(app) == 3
        watched.primary.kill()
        until(lambda: watched.replica.role() == "master", what="the Sentinels have failed over")
        began = time.monotonic()
        assert add_on(app) == 3
        assert time.monotonic() - began < 5
    assert World(watched.replica.client, "doshit").workers()
    assert worker.process.poll() is None


def test_an_enqueue_while_a_failover_is_under_way_waits_for_its_end(watched):
    async def enqueue(url: str) -> str:
        async with Doshit(url) as app:
            await app.aenqueue("add", {"a": 1, "b": 2})
            watched.primary.kill()
            return (await app.aenqueue("add", {"a": 1, "b": 2})).id

    id = asyncio.run(enqueue(f"redis+sentinel://{watched.hosts}/jobs"))
    assert watched.replica.client.hget(f"doshit:task:{id}", "state") == b"pending"


def test_the_nodes_and_the_sentinels_have_logins_of_their_own(start_node):
    watched = Watched(start_node, password="p:@/w", sentinel_password="s%&")
    hosts = watched.hosts
    url = f"redis+sentinel://:p%3A%40%2Fw@{hosts}/jobs/0?sentinel_password=s%25%26"
    face = SyncFace(url)
    assert face.command("PING") in (b"PONG", True)
    face.close()
    with pytest.raises(ServerError, match="sentinel_password") as told:
        SyncFace(f"redis+sentinel://:p%3A%40%2Fw@{hosts}/jobs/0").command("PING")
    for secret in ("p:@/w", "p%3A%40%2Fw"):
        assert secret not in str(told.value)


def test_a_name_that_no_sentinel_knows_is_said_with_the_form_of_the_url(watched):
    with pytest.raises(ServerUnavailable, match=r"no primary named 'else'.*26379/name/0"):
        route_to(f"redis+sentinel://{watched.sentinels[0].host}/else").find()


def test_a_primary_that_is_none_is_not_believed(watched):
    sentinel = watched.sentinels[0].client
    sentinel.execute_command("SENTINEL", "MONITOR", "stale", "127.0.0.1", watched.replica.port, 2)
    with pytest.raises(ServerError, match="replica"):
        route_to(f"redis+sentinel://{watched.sentinels[0].host}/stale").find()
