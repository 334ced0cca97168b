"""What a task tells while it runs, as a handle reads it: progress and output. Written here as a worker writes it."""

import json
from datetime import UTC, datetime

import pytest

from doshit import TaskVanished

AT = "2030-01-01T12:00:00.250000Z"
MOMENT = datetime(2030, 1, 1, 12, 0, 0, 250000, tzinfo=UTC)


def test_progress_is_what_was_told_last(app, plain, prefix):
    handle = app.enqueue("add", id="one")
    assert handle.progress() is None
    plain.hset(f"{prefix}:task:one", "progress", json.dumps({"fraction": 0.4, "text": "rows read", "at": AT}))
    told = handle.progress()
    assert (told.fraction, told.text, told.at) == (0.4, "rows read", MOMENT)
    assert handle.info().progress == told


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "5", "null", b"\xff"])
def test_progress_that_a_stranger_spoilt_is_none(app, plain, prefix, spoilt):
    handle = app.enqueue("add", id="one")
    plain.hset(f"{prefix}:task:one", "progress", spoilt)
    assert handle.progress() is None


def test_progress_of_another_make_is_read_as_far_as_it_goes(app, plain, prefix):
    handle = app.enqueue("add", id="one")
    plain.hset(f"{prefix}:task:one", "progress", '{"fraction": "much", "text": 5, "at": true}')
    told = handle.progress()
    assert (told.fraction, told.text, told.at) == (None, "5", None)


def test_output_comes_in_its_order_with_stream_and_time(app, plain, prefix):
    handle = app.enqueue("add", id="one")
    assert handle.output() == []
    plain.xadd(f"{prefix}:log:one", {"s": "stdout", "t": AT, "m": "h\u00e9llo\n"})
    plain.xadd(f"{prefix}:log:one", {"s": "stderr", "t": "late", "m": b"\xff"})
    plain.xadd(f"{prefix}:log:one", {"other": "make"})
    first, second = handle.output()
    assert (first.stream, first.at, first.text) == ("stdout", MOMENT, "h\u00e9llo\n")
    assert (second.stream, second.at, second.text) == ("stderr", None, "\udcff")


def test_what_is_not_there_has_no_progress_and_no_output(app):
    for ask in (app.handle("never").progress, app.handle("never").output):
        with pytest.raises(TaskVanished):
            ask()
