"""The Lua scripts, read from the package's copy of protocol/lua. A script's identity is its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "_protocol" / "lua"
NAMES = ("submit", "claim", "finish", "release", "park", "beat", "recover", "promote")


@dataclass(frozen=True, slots=True)
class Script:
    """One transition: prelude.lua followed by its own file. sha is what EVALSHA wants (SHA1, hex)."""

    name: str
    source: bytes
    sha: bytes


def _load(name: str, prelude: bytes) -> Script:
    source = prelude + (_FOLDER / f"{name}.lua").read_bytes()
    return Script(name, source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


def _load_all() -> dict[str, Script]:
    prelude = (_FOLDER / "prelude.lua").read_bytes()
    return {name: _load(name, prelude) for name in NAMES}


SCRIPTS = _load_all()
