"""A job queue for Python and Node.js on Redis whose schema is its API."""

from doshit.client import CurrentTask, Doshit, Handle, Task, current_task, default_app, progress
from doshit.errors import (
    BadArguments,
    BadTask,
    Cancel,
    ConfigurationError,
    DoshitError,
    IdConflict,
    Retry,
    ServerError,
    TaskCancelled,
    TaskFailed,
    TaskVanished,
    TimeLimitExceeded,
    WaitTimeout,
)

# Of the default app, whose settings come from the environment.
task = default_app.task
enqueue = default_app.enqueue
enqueue_many = default_app.enqueue_many
aenqueue = default_app.aenqueue
aenqueue_many = default_app.aenqueue_many
on_child_start = default_app.on_child_start

__all__ = [
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
