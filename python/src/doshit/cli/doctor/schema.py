"""Which key of the protocol a key is, and which type it must have, by protocol/tables/keys.json. Reads no server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from doshit.values.names import RESERVED_QUEUES

_TABLE = Path(__file__).parents[2] / "_protocol" / "tables" / "keys.json"
_FORMS = {"queue": r"[A-Za-z0-9._-]{1,64}"}


class Known(NamedTuple):
    """A key of the protocol: its name in the table, the type it must have, and what stands for each placeholder."""

    name: str
    type: str
    parts: Mapping[str, str]


class Schema:
    """The keys of one prefix."""

    def __init__(self, prefix: str) -> None:
        rows: list[dict[str, Any]] = json.loads(_TABLE.read_text())["keys"]
        self._prefix = prefix
        self._rows = {row["name"]: row for row in rows if row["type"] != "channel"}
        # {app}:task:{id} before {app}:{queue}:pending: an id may be the word `pending`.
        ordered = sorted(self._rows.values(), key=lambda row: "{queue}" in row["pattern"])
        self._patterns = [(row, self._compiled(row["pattern"])) for row in ordered]

    def _compiled(self, pattern: str) -> re.Pattern[str]:
        def form(match: re.Match[str]) -> str:
            name = match[1]
            return re.escape(self._prefix) if name == "app" else f"(?P<{name}>{_FORMS.get(name, '.+')})"

        return re.compile(re.sub(r"\{(\w+)\}", form, pattern), re.DOTALL)

    def known(self, key: str) -> Known | None:
        """What a key is, None for one that the protocol does not have."""
        for row, pattern in self._patterns:
            match = pattern.fullmatch(key)
            if match and match.groupdict().get("queue") not in RESERVED_QUEUES:
                return Known(row["name"], row["type"], match.groupdict())
        return None

    def key(self, name: str, **parts: str) -> str:
        """The key of that name in the table."""
        pattern: str = self._rows[name]["pattern"]
        return re.sub(r"\{(\w+)\}", lambda match: {"app": self._prefix, **parts}[match[1]], pattern)

    def has(self, name: str) -> bool:
        return name in self._rows

    def type(self, name: str) -> str:
        kind: str = self._rows[name]["type"]
        return kind
