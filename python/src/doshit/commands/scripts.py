"""The Lua scripts, read from the package's copy of protocol/lua. A script's identity is its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "_protocol" / "lua"
_PARTS = b"-- Parts: "
NAMES = (
    "submit",
    "claim",
    "finish",
    "release",
    "retry",
    "park",
    "note",
    "cancel",
    "beat",
    "seal",
    "recover",
    "promote",
    "requeue",
    "drop",
)


@dataclass(frozen=True, slots=True)
class Script:
    """One transition: its file, with the parts that each `-- Parts:` line names put behind that line. sha: its SHA1."""

    name: str
    source: bytes
    sha: bytes


def _load(name: str) -> Script:
    lines = (_FOLDER / f"{name}.lua").read_bytes().splitlines(keepends=True)
    source = b"".join(line + _parts_behind(line) for line in lines)
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


def _parts_behind(line: bytes) -> bytes:
    parts = line.removeprefix(_PARTS).decode().split() if line.startswith(_PARTS) else []
    return b"".join((_FOLDER / "parts" / f"{part}.lua").read_bytes() for part in parts)


SCRIPTS = {name: _load(name) for name in NAMES}
