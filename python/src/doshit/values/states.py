"""The words of the protocol: states, results, error codes, field names. As in protocol/tables, which a test holds."""

from __future__ import annotations

from enum import StrEnum

PROTOCOL_VERSION = "1"


class State(StrEnum):
    """Where a task is in its life; there are no others."""

    PENDING = "pending"
    EXECUTING = "executing"
    FINISHED = "finished"


class Result(StrEnum):
    """How a finished task ended."""

    SUCCESSFUL = "successful"
    FAILED = "failed"


class ErrorCode(StrEnum):
    """Why a task failed: one vocabulary in every language."""

    EXCEPTION = "exception"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    CANCELLED = "cancelled"
    WORKER_LOST = "worker-lost"
    EXITED = "exited"
    BAD_TASK = "bad-task"
    BAD_ARGS = "bad-args"
    UNKNOWN_FUNCTION = "unknown-function"
    EXPIRED = "expired"
    RESULT_NOT_JSON = "result-not-json"
    RESULT_TOO_LARGE = "result-too-large"


# Times, in seconds unless said otherwise; the protocol's own numbers stand in the Lua.
BEAT = 2.0
LEASE_MS = 10_000
RESULT_TTL = 86_400
FAILED_TTL = 604_800
LOSSES = 3
# Sizes in bytes.
ARGS_CAP = 1 << 20
RESULT_CAP = 1 << 20
OUTPUT_CAP = 64 << 10
REASON_CAP = 4 << 10
TRACEBACK_CAP = 64 << 10
