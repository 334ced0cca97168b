"""How a worker's log looks: lines for a person, or one JSON object a line. Writes to stderr."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal


def _escaped(text: str) -> str:
    """Control characters made visible: what comes from Redis must not forge a line or steer a terminal."""
    return "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text)


class _Console(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = self.formatTime(record, "%H:%M:%S")
        mark = "" if record.levelno < logging.WARNING else record.levelname.lower() + ": "
        return f"{when} {mark}{_escaped(record.getMessage())}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if hasattr(record, "task"):
            line["task"] = record.task
        return json.dumps(line)


def about(id: bytes) -> dict[str, str]:
    """What a line that speaks of this task is given as `extra`: in JSON it has the id as a field."""
    return {"task": readable(id)}


def readable(name: bytes) -> str:
    """An id or a name from Redis as the log shows it."""
    return name.decode(errors="backslashreplace")


def set_up(log_format: Literal["console", "json"], verbose: bool) -> None:
    """Configures the logger `doshit`; leaves the root logger alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Console())
    logger = logging.getLogger("doshit")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
