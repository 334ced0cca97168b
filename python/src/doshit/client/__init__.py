"""The client: makes tasks and waits for their results. Runs none of them."""

from doshit.client.app import Doshit
from doshit.client.current import CurrentTask, current_task, progress
from doshit.client.handle import Handle
from doshit.client.job import Job
from doshit.client.task import Enqueuer, Task

__all__ = ["CurrentTask", "Doshit", "Enqueuer", "Handle", "Job", "Task", "current_task", "default_app", "progress"]

# Costs nothing until it is used, and reads the environment only then.
default_app = Doshit()
