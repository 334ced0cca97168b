"""What runs write and tell: all of it is caught while they run, none of it is another's, and no flood blocks them."""

import logging

import pytest

from worker.standing import standing
from worker.tasks_limits import WAYS, begun
from worker.workers import until


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    with standing(server, tmp_path_factory.mktemp("output"), children=2) as stage:
        yield stage


@pytest.fixture
def gate(tmp_path):
    gate = tmp_path / "gate"
    yield gate
    gate.touch()


@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_a_run_writes_it_is_kept_with_the_task(stage, way):
    id = stage.start("says", text="hello", way=way)
    task = stage.ended(id)
    ((stream, text),) = stage.output(id)
    assert text == ("INFO mine: hello\n" if way == "logging" else "hello\n")
    assert stream == {"stderr": "stderr", "logging": "log"}.get(way, "stdout")
    assert int(task["output"]) == len(text)
    assert 0 < stage.client.ttl(stage.key("log", id)) <= stage.client.ttl(stage.task_key(id)) + 1


def test_a_run_that_writes_nothing_leaves_nothing(stage):
    task = stage.ended(stage.start("echo", text=1))
    assert "output" not in task


@pytest.mark.parametrize("way", ["print", "descriptor", "subprocess"])
def test_what_a_run_writes_is_seen_while_it_runs(stage, gate, way):
    id = stage.start("says_and_holds", text="so far", gate=str(gate), way=way)
    until(lambda: stage.text(id) == "so far\n", 8, "its output is there")
    assert stage.task(id)["state"] == "executing"


def test_progress_is_seen_while_a_run_goes_on_and_the_last_one_stays(stage, gate):
    id = stage.start("tells", steps=4, gate=str(gate))
    told = until(lambda: (told := stage.progress(id)) and told["fraction"] == 1.0 and told, 8)
    assert told["text"] == "step 4"
    assert stage.task(id)["state"] == "executing"
    gate.touch()
    stage.ended(id)
    assert stage.progress(id) == told


def test_very_many_words_of_progress_cost_the_run_nothing_it_would_notice(stage):
    id = stage.start("tells", steps=20_000)
    stage.value(id)
    assert stage.progress(id)["text"] == "step 20000"


@pytest.mark.parametrize("way", ["print", "lines", "no newline", "subprocess"])
def test_a_flood_is_cut_and_stops_no_run(stage, way):
    id = stage.start("floods", way=way, megabytes=100 if way == "subprocess" else 20)
    assert stage.value(id) == "done"
    assert 1000 < len(stage.text(id)) <= 70_000
    assert stage.client.xlen(stage.key("log", id)) <= 1100


def test_a_flood_of_one_run_does_not_hide_what_the_next_says(stage):
    ids = [stage.start(name, **args) for _ in range(3) for name, args in (
        ("floods", {"way": "subprocess", "megabytes": 5}), ("says", {"text": "short"}))]  # fmt: skip
    stage.all_ended(ids)
    assert [stage.text(id) for id in ids[1::2]] == ["short\n"] * 3


@pytest.mark.parametrize("way", ["print", "descriptor", "subprocess"])
def test_the_output_of_one_task_is_never_anothers(stage, way):
    stage.all_ended(stage.starts("echo", 200))
    ids = [stage.start("says", text=f"of {n}", way=way) for n in range(30 if way == "subprocess" else 150)]
    stage.all_ended(ids)
    assert [stage.text(id) for id in ids] == [f"of {n}\n" for n in range(len(ids))]


def test_the_output_of_runs_side_by_side_in_one_process_is_not_mixed_up(stage):
    ids = [stage.start("asays", text=f"of {n}", times=10) for n in range(40)]
    stage.all_ended(ids)
    assert [stage.text(id) for id in ids] == [f"of {n}\n" * 20 for n in range(40)]


@pytest.mark.parametrize("text", ["\u00e9\u4e2d\U0001f600", "a\rb\tc", "\ud800", "\x00", "\x1b[31mred"])
def test_any_text_can_be_printed(stage, text):
    id = stage.start("says", text=text.encode("utf-8", "replace").decode())
    stage.value(id)
    assert stage.text(id) == text.encode("utf-8", "replace").decode() + "\n"


def test_bytes_that_are_no_text_are_shown_escaped(stage):
    id = stage.start("says_bytes", hexed="ff00c3280a")
    stage.value(id)
    assert stage.text(id) == "\\xff\x00\\xc3(\n"


def test_a_character_that_comes_in_two_pieces_is_one(stage, gate):
    text = "\u00e9\u4e2d\U0001f600" * 4
    id = stage.start("says_in_pieces", text=text, size=5, gate=str(gate))
    until(lambda: stage.text(id).endswith("\U0001f600") and len(begun(gate)) == 1, 8)
    gate.touch()
    stage.ended(id)
    assert stage.text(id) == text


def test_copies_that_a_run_forks_may_flood_too(stage):
    id = stage.start("forks_that_flood", processes=6, kilobytes=300)
    assert stage.value(id) == "[0, 0, 0, 0, 0, 0]"
    assert stage.task(id)["attempts"] == "1"


def test_what_a_run_has_started_is_not_heard_in_the_next(server, tmp_path):
    with standing(server, tmp_path) as stage:
        first = stage.start("leaves_a_talker")
        seconds = [stage.start("says_and_holds", text=f"{n}", gate=str(tmp_path)) for n in range(5)]
        stage.all_ended([first, *seconds])
        assert [stage.text(id) for id in seconds] == [f"{n}\n" for n in range(5)]


def test_nothing_is_kept_where_the_worker_keeps_nothing(server, tmp_path):
    with standing(server, tmp_path, output_cap=0) as stage:
        ids = [stage.start("says", text="hello", way=way) for way in WAYS]
        ids.append(stage.start("floods", way="subprocess", megabytes=3))
        stage.all_ended(ids)
        assert stage.fields(ids, "result", "output") == [["successful", None]] * len(ids)
        assert not list(stage.client.scan_iter(stage.key("log", "*")))
        assert stage.value(stage.start("tells", steps=3)) is None


def test_a_small_cap_keeps_so_much_and_says_that_there_was_more(server, tmp_path):
    with standing(server, tmp_path, output_cap=1000) as stage:
        id = stage.start("says", text="x" * 990 + "0123456789abcdef")
        stage.value(id)
        assert "more was written" in stage.text(id)
        assert "abcdef" not in stage.text(id)


@pytest.mark.parametrize("way", ["print", "subprocess"])
def test_a_flood_says_that_there_was_more_also_where_a_piece_is_as_large_as_the_cap(stage, way):
    id = stage.start("floods", way=way, megabytes=2)
    stage.value(id)
    assert stage.text(id).endswith("\n[more was written than is kept]\n")
    assert int(stage.task(id)["output"]) > 65536


def test_programs_that_set_up_their_streams_find_what_they_expect(stage):
    id = stage.start("sets_up_its_streams")
    assert stage.value(id) == "utf-8 1 False"
    assert stage.text(id) == "one\ntwo\n"


def test_what_is_printed_stands_in_the_workers_log_too(stage):
    id = stage.start("says", text="look here")
    stage.value(id)
    assert f"task {id} stdout: look here" in stage.worker.log()
    assert logging.getLogger("mine").handlers == []


def test_hooks_may_print_a_lot_and_it_is_no_runs(server, tmp_path):
    target = tmp_path / "loud.py"
    target.write_text(
        "from doshit import Doshit\n"
        "app = Doshit()\n"
        "@app.on_child_start\n"
        "def loud(): print('x' * 300_000)\n"
        "@app.task\n"
        "def says(text: str) -> None: print(text)\n"
    )
    with standing(server, tmp_path, target=str(target)) as stage:
        id = stage.start("says", text="mine")
        stage.value(id, 10)
        assert stage.text(id) == "mine\n"
