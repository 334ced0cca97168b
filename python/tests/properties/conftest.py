"""The live workers of the worker tests, for properties that need one."""

from worker.conftest import endings, next_kind, start_worker, world

__all__ = ["endings", "next_kind", "start_worker", "world"]
