"""The names of workers: no two starts share one, and a claim under one keeps the hash of a task small."""

import os
import re
import socket

import pytest

from doshit.worker.supervisor.membership import new_worker_id


@pytest.mark.parametrize("host", ["box", "order-processing-worker-6d4cf56db6-abcde." + "x" * 200, "büro 1", ""])
def test_a_worker_id_says_where_and_leaves_room_for_a_claim_of_64_bytes(monkeypatch, host):
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    monkeypatch.setattr(os, "getpid", lambda: 4_194_303)  # the greatest that Linux gives
    first, second = new_worker_id(), new_worker_id()
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9.-]+-4194303-[0-9a-f]{6}", first)
    assert len(f"{first}/99:9999999.200".encode()) <= 64
