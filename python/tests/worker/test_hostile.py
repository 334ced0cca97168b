"""Probe."""

import pytest

def test_smoke(start_worker, world):
    start_worker(children=2)
    world.push("1", "add", {"a": 1, "b": 2})
    assert world.value("1") == 3
    world.at_rest()

@pytest.mark.parametrize("function,args,code", [
  ("fork_and_return", {}, None), ("close_descriptors", {}, "exited"), ("scribble", {"text": "\xff" * 40}, "exited"),
  ("scribble", {"text": "\x01\0\0\0\x01"}, "exited"), ("scribble", {"text": "\x05\0\0\0\x94\x05\0\0\0"}, "exited"), ("leave", {"status": 0}, "exited"), ("segfault", {}, "exited"), ("kill_self", {}, "exited"),
  ("gone", {"status": 3}, "exited"), ("threads", {}, None), ("nameless", {}, "exception"), ("bad_exit", {}, "exited"),
  ("interrupt", {}, "exception"), ("recurse", {}, "exception"), ("long_error", {"size": 100000}, "exception"), ("big", {"size": 2 << 20}, "result-too-large"),
  ("nan", {}, "result-not-json"), ("unknown_type", {}, "result-not-json"),
])
def test_hostile(start_worker, world, function, args, code):
    w = start_worker(children=1)
    ids = world.push_all([("a", "pid", None), ("x", function, args), *((f"n{i}", "add", {"a": i, "b": 1}) for i in range(30))])
    try:
        world.all_ended(ids, 10)
    finally:
        print(w.log())
    t = world.task("x")
    print(t)
    assert t.get("error-code") == code
    assert [world.value(f"n{i}") for i in range(30)] == list(range(1, 31))
    assert {a for (a,) in world.fields(ids, "attempts")} == {"1"}
    world.at_rest()
    assert w.process.poll() is None
