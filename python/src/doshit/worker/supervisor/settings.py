"""What a worker is told by its command line. Reads no environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from doshit.values.states import ARGS_CAP, OUTPUT_CAP, REASON_CAP, RESULT_CAP, RESULT_TTL, TRACEBACK_CAP


@dataclass(frozen=True)
class Settings:
    """One worker. None: the target's app says, or the default named beside it.

    targets: each tasks.py, a module, or module:app; queues: served in this order; concurrency: children (as many as
    this process may use CPUs); result_ttl: seconds a successful task's hash is kept; unknown_grace: seconds a
    function that nobody serves may wait for somebody; grace: seconds that runs get to end after a stop was asked for
    (Docker kills after 10); recycle_runs, recycle_growth: a child is replaced after so many runs, or bytes of growth;
    time_limit_cap, memory_limit_cap: no run gets more seconds or bytes than this, whatever it wishes; output_cap:
    bytes kept of what a run prints, 0: nothing is captured; args_cap, result_cap: bytes that arguments and results
    may have; reason_cap, traceback_cap: characters kept of why a run failed; async_slots: how many `async def` runs
    one child does at once.
    """

    targets: tuple[str, ...]
    queues: tuple[str, ...] = ()
    concurrency: int | None = None
    url: str | None = None
    prefix: str | None = None
    burst: bool = False
    result_ttl: int = RESULT_TTL
    unknown_grace: float = 30.0
    reload: bool = False
    verbose: bool = False
    log_format: Literal["console", "json"] = "console"
    recycle_runs: int | None = None
    recycle_growth: int = 256 << 20
    grace: float = 8.0
    time_limit_cap: float | None = None
    memory_limit_cap: int | None = None
    output_cap: int = OUTPUT_CAP
    args_cap: int = ARGS_CAP
    result_cap: int = RESULT_CAP
    reason_cap: int = REASON_CAP
    traceback_cap: int = TRACEBACK_CAP
    async_slots: int = 100


def default_concurrency() -> int:
    """One child for each CPU that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
