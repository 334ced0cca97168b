"""Which prefixes, queue names and ids are allowed. Reads nothing, writes nothing."""

from __future__ import annotations

import re

from doshit.errors import ConfigurationError

# The second part of another key, so never the name of a queue: {app}:task:pending would be two things at once.
RESERVED_QUEUES = frozenset(
    [
        "task",
        "worker",
        "workers",
        "held",
        "stop",
        "cancel",
        "queues",
        "catalog",
        "functions",
        "protocol",
        "results",
        "reply",
        "cmd",
        "cutoffs",
        "log",
        "stats",
        "schedule",
        "schedules",
        "duties",
        "locks",
    ]
)
_QUEUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]*(\{[A-Za-z0-9._-]+\})?[A-Za-z0-9._-]*")
ID_BYTES = 255


def check_queue(name: str) -> str:
    """The name itself. Raises ConfigurationError when it cannot be a queue."""
    if not isinstance(name, str) or not _QUEUE.fullmatch(name):
        raise ConfigurationError(f"queue name {name!r}: use 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    if name in RESERVED_QUEUES:
        raise ConfigurationError(f"queue name {name!r} is part of another key of the protocol; choose another name")
    return name


def check_prefix(prefix: str) -> str:
    """The prefix itself. Raises ConfigurationError when it cannot begin a key."""
    if not isinstance(prefix, str) or not prefix or len(prefix) > 64 or not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            f"prefix {prefix!r}: use 1 to 64 of the characters A-Z a-z 0-9 . _ - and at most one {{tag}}"
        )
    return prefix


def check_id(id: str) -> str:
    """The id itself. Raises ConfigurationError when it is empty, longer than 255 bytes of UTF-8, or not text."""
    if not isinstance(id, str):
        raise ConfigurationError(f"task id {id!r}: expected text")
    try:
        size = len(id.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise ConfigurationError(f"task id {id[:40]!r}: a lone surrogate cannot be written as UTF-8") from None
    if not 0 < size <= ID_BYTES:
        raise ConfigurationError(f"task id {id[:40]!r}: 1 to {ID_BYTES} bytes")
    return id


def check_function(name: str) -> str:
    """The name itself. Raises ConfigurationError when it is empty or not text: a function goes by its name."""
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"function name {name!r}: expected text, the name by which workers know it")
    return name
