"""The live workers of the worker tests, for properties that need one."""

from worker.conftest import endings, start_worker, world

__all__ = ["endings", "start_worker", "world"]
