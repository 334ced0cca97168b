"""A job queue for Python and Node.js on Redis whose schema is its API."""

from doshit.client import CurrentTask, Doshit, Handle, Task, current_task, default_app
from doshit.errors import (
    BadArguments,
    BadTask,
    ConfigurationError,
    DoshitError,
    IdConflict,
    ServerError,
    TaskFailed,
    TaskVanished,
    WaitTimeout,
)

# Of the default app, whose settings come from the environment.
task = default_app.task
enqueue = default_app.enqueue
enqueue_many = default_app.enqueue_many
on_child_start = default_app.on_child_start

__all__ = [
    "BadArguments",
    "BadTask",
    "ConfigurationError",
    "CurrentTask",
    "Doshit",
    "DoshitError",
    "Handle",
    "IdConflict",
    "ServerError",
    "Task",
    "TaskFailed",
    "TaskVanished",
    "WaitTimeout",
    "current_task",
    "enqueue",
    "enqueue_many",
    "on_child_start",
    "task",
]
