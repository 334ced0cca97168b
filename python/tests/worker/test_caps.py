"""What a worker keeps of a failure is bounded, and the bounds are its own to set."""

import pytest

TASKS = """
from doshit import task

@task
def fails(size: int) -> None:
    raise ValueError("x" * size)
"""


@pytest.mark.parametrize(
    ("caps", "reason", "trace"), [({}, 4096, 65536), ({"reason_cap": 50, "traceback_cap": 200}, 50, 200)]
)
def test_reason_and_traceback_are_cut_at_the_workers_caps(start_worker, world, tmp_path, caps, reason, trace):
    (tmp_path / "capped.py").write_text(TASKS)
    start_worker(target="capped.py", cwd=tmp_path, **caps)
    world.push("it", "fails", {"size": 100_000})
    ended = world.ended("it")
    assert ended["error-code"] == "exception"
    assert (len(ended["error-reason"]), ended["error-reason"][:16]) == (reason, "ValueError: xxxx")
    assert ended["error-reason"].endswith("...")
    assert len(ended["error-exception"]) == trace + len("[...]\n")
