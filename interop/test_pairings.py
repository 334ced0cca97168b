"""Every pairing of languages as producer, worker, waiter and canceller: the contract holds whoever plays which part."""

from collections.abc import Mapping
from contextlib import closing
from itertools import product
from typing import Any

import pytest

from clients import CLIENTS, End, NodeClient, until
from workers import OURS, WORKERS

VALUES: list[Any] = [
    None,
    0,
    False,
    "",
    [],
    {},
    {"text": "ooh yeeah \u00e4\U0001f600\0", "list": [1, -1.5, True]},
    2**53 - 1,
]


def every(*parts: Mapping[str, object]) -> list[tuple[str, ...]]:
    return list(product(*parts))


@pytest.mark.parametrize(("producer", "worker", "waiter"), every(CLIENTS, WORKERS, CLIENTS))
def test_a_waiter_gets_what_the_worker_made_of_it(producer, worker, waiter, client, worker_of):
    prefix = worker_of(worker)
    producing, waiting = client(producer, prefix), client(waiter, prefix)
    ids = [producing.produce("echo", {"value": value}) for value in VALUES]
    # Text and type: 0 is not False here.
    assert [repr(waiting.wait(id)) for id in ids] == [repr(End(value)) for value in VALUES]
    end = waiting.wait(producing.produce("fail", {"message": "out of paper"}))
    assert end.code == "exception"
    assert "out of paper" in end.reason


# The contract's five keys know no cancel of what runs, so a foreign worker runs on.
@pytest.mark.parametrize(("producer", "worker", "waiter", "canceller"), every(CLIENTS, OURS, CLIENTS, CLIENTS))
def test_whoever_cancels_ends_a_run(producer, worker, waiter, canceller, client, worker_of, plain):
    prefix = worker_of(worker)
    id = client(producer, prefix).produce("nap", {"seconds": 60})
    until(lambda: plain.hget(f"{prefix}:task:{id}", "state") == "executing", "the task runs")
    client(canceller, prefix).cancel(id)
    assert client(waiter, prefix).wait(id).code == "cancelled"
    until(lambda: plain.llen(f"{prefix}:default:executing") == 0, "nothing is left in executing")


@pytest.mark.parametrize("worker", WORKERS)
def test_plain_commands_of_another_redis_library_in_node_and_a_subscription_are_enough(worker, url, worker_of):
    with closing(NodeClient(url, worker_of(worker), "commands")) as node:
        ids = [node.produce("echo", {"value": value}) for value in VALUES]
        assert [repr(node.wait(id)) for id in ids] == [repr(End(value)) for value in VALUES]
