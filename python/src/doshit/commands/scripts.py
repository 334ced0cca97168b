"""The Lua scripts, read from the package's copy of protocol/lua. A script's identity is its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "_protocol" / "lua"
_PARTS = b"-- Parts: "
NAMES = ("submit", "claim", "finish", "release", "park", "beat", "recover", "promote")


@dataclass(frozen=True, slots=True)
class Script:
    """One transition: the parts that its `-- Parts:` line names, then its own file. sha: their SHA1, for EVALSHA."""

    name: str
    source: bytes
    sha: bytes


def _load(name: str) -> Script:
    own = (_FOLDER / f"{name}.lua").read_bytes()
    line = next(line for line in own.splitlines() if line.startswith(_PARTS))
    parts = line.removeprefix(_PARTS).decode().split()
    source = b"".join((_FOLDER / "parts" / f"{part}.lua").read_bytes() for part in parts) + own
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


SCRIPTS = {name: _load(name) for name in NAMES}
