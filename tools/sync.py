"""Copies protocol/lua and protocol/tables into each package, or compares them (--check). Never writes to protocol/."""

import hashlib
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ("lua", "tables")
COPIES = (ROOT / "python/src/doshit/_protocol",)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of the shared parts below `folder`, by relative path."""
    files = (path for part in SHARED for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def differences(source: Path, copy: Path) -> list[str]:
    wanted, found = digests(source), digests(copy)
    names = sorted(wanted.keys() | found.keys())
    return [f"{copy.relative_to(ROOT) / name}" for name in names if wanted.get(name) != found.get(name)]


def write(source: Path, copy: Path) -> None:
    for part in SHARED:
        shutil.rmtree(copy / part, ignore_errors=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, copy / part)


def main() -> int:
    source = ROOT / "protocol"
    if "--check" not in sys.argv[1:]:
        for copy in COPIES:
            write(source, copy)
        return 0
    wrong = [name for copy in COPIES for name in differences(source, copy)]
    for name in wrong:
        print(f"{name} is not the copy of protocol/: change protocol/, then run `make sync`", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
