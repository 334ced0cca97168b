"""The supervisor's side: everything of a worker but the user's code. `run(Settings(...))` is a whole worker."""

from doshit.worker.supervisor.run import run
from doshit.worker.supervisor.settings import Settings

__all__ = ["Settings", "run"]
