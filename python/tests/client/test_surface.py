"""What `import doshit` gives, and what it costs."""

import subprocess
import sys

import pytest

import doshit
from doshit.client.operations import Operations


def test_the_public_names_are_these_and_no_others():
    assert sorted(doshit.__all__) == [
        "BadArguments",
        "BadTask",
        "Cancel",
        "ConfigurationError",
        "CurrentTask",
        "Doshit",
        "DoshitError",
        "Handle",
        "IdConflict",
        "Retry",
        "ServerError",
        "Task",
        "TaskCancelled",
        "TaskFailed",
        "TaskVanished",
        "TimeLimitExceeded",
        "WaitTimeout",
        "aenqueue",
        "aenqueue_many",
        "current_task",
        "enqueue",
        "enqueue_many",
        "on_child_start",
        "progress",
        "task",
    ]


def test_every_public_name_is_there_and_documented():
    assert all(getattr(doshit, name).__doc__ for name in doshit.__all__)


def test_every_blocking_call_has_a_twin_for_an_event_loop():
    for owner, names in {
        doshit: ["enqueue", "enqueue_many"],
        doshit.Doshit: ["enqueue", "enqueue_many", "close", *_public(Operations)],
        doshit.Task: ["enqueue", "enqueue_many"],
        doshit.Handle: ["result", "state", "info", "cancel", "retry", "progress", "output"],
    }.items():
        assert [name for name in names if not callable(getattr(owner, f"a{name}", None))] == []


def _public(owner: type) -> list[str]:
    names = [name for name, value in vars(owner).items() if callable(value) and name[0] != "_"]
    return [name for name in names if not (name[0] == "a" and name[1:] in names)]


def _modules_after(code: str) -> set[str]:
    listing = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize("heavy", ["redis", "hiredis", "asyncio", "msgspec", "pydantic", "inspect", "dataclasses"])
def test_importing_doshit_imports_nothing_that_costs(heavy):
    assert heavy not in _modules_after("import doshit")


def test_decorating_a_task_imports_no_redis():
    assert "redis" not in _modules_after("import doshit\n@doshit.task\ndef add(a: int): pass")
