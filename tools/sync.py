"""Copies protocol/lua and protocol/tables into each package, or compares them (--check). Never writes to protocol/.

Python gets the files as they are. Node gets them as TypeScript: the texts of the scripts, and the tables as constants.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "protocol"
PYTHON = ROOT / "python/src/doshit/_protocol"
NODE = ROOT / "node/src/_protocol"
_PARTS = "-- Parts: "
_HEAD = "/** Written by `make sync` from protocol/{}; change it there. */\n\n"


def wanted() -> dict[Path, bytes]:
    """Every file of every copy, and what it should hold."""
    shared = [path for part in ("lua", "tables") for path in (SOURCE / part).rglob("*") if path.is_file()]
    files = {PYTHON / path.relative_to(SOURCE): path.read_bytes() for path in shared}
    files[NODE / "scripts.ts"] = _scripts().encode()
    files[NODE / "tables.ts"] = _tables().encode()
    return files


def found() -> dict[Path, bytes]:
    """Every file that is there, but what Python compiled."""
    copies = (path for folder in (PYTHON, NODE) for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in copies if "__pycache__" not in path.parts}


def _scripts() -> str:
    """A template for each part and each script; a script holds its parts where its line names them."""
    lua = SOURCE / "lua"
    parts = [f"const {path.stem} = `{_escaped(_text(path))}`;\n" for path in sorted((lua / "parts").glob("*.lua"))]
    scripts = [
        f"  {path.stem}: {{\n    sha: '{_sha(path)}',\n    source: `{_template(path)}`,\n  }},\n"
        for path in sorted(lua.glob("*.lua"))
    ]
    body = "\n".join(parts) + "\nexport const SOURCES = {\n" + "".join(scripts) + "} as const;\n"
    return _HEAD.format("lua") + body


def _with_parts(path: Path, show: Callable[[str], str], part: Callable[[str], str]) -> str:
    """The text of a script, each line shown, with `part` of each name put in behind the line that names it."""
    pieces = []
    for line in _text(path).splitlines(keepends=True):
        names = line.removeprefix(_PARTS).split() if line.startswith(_PARTS) else []
        pieces += [show(line), *map(part, names)]
    return "".join(pieces)


def _template(path: Path) -> str:
    return _with_parts(path, _escaped, "${{{}}}".format)


def _sha(path: Path) -> str:
    """The SHA1 of what is sent."""
    sent = _with_parts(path, str, lambda name: _text(path.parent / "parts" / f"{name}.lua"))
    return hashlib.sha1(sent.encode(), usedforsecurity=False).hexdigest()


def _text(path: Path) -> str:
    return path.read_bytes().decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")


def _tables() -> str:
    tables = (
        f"export const {path.stem.upper()} = {json.dumps(json.loads(_text(path)), indent=2)} as const;\n"
        for path in sorted((SOURCE / "tables").glob("*.json"))
    )
    return _HEAD.format("tables") + "\n".join(tables)


def differences() -> list[Path]:
    right, there = wanted(), found()
    return [path for path in sorted(right.keys() | there.keys()) if right.get(path) != there.get(path)]


def write(path: Path) -> None:
    content = wanted().get(path)
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main() -> int:
    wrong = differences()
    if "--check" not in sys.argv[1:]:
        for path in wrong:
            write(path)
        return 0
    for path in wrong:
        name = path.relative_to(ROOT)
        print(f"{name} is not the copy of protocol/: change protocol/, then run `make sync`", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
