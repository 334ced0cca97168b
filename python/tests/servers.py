"""Starts servers for tests, each private to one run and dead with it. Never touches a server that it did not start."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from doshit.server import EmbeddedServer, find_binary


@dataclass(frozen=True)
class Engine:
    """A server binary of this machine."""

    name: str
    version: str
    binary: Path

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


def engines(wanted: str = "all") -> list[Engine]:
    """The engines to test on: `valkey`, `redis`, or `all` that are here, the embedded one first."""
    on_path = shutil.which("redis-server")
    found = [_engine(find_binary()), *([_engine(Path(on_path))] if on_path else [])]
    unique = {str(engine): engine for engine in found}.values()
    return [engine for engine in unique if wanted in ("all", engine.name)]


def _engine(binary: Path) -> Engine:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.match(r"(\w+) server v=([\d.]+)", said)
    assert match, f"{binary} --version says {said!r}"
    return Engine(match[1].lower(), match[2], binary)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder with a short path, gone afterwards: pytest's own tmp_path is too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="doshit-") as folder:
        yield Path(folder)


@contextmanager
def private_server(engine: Engine, *, persist: bool = False, tcp: bool = False) -> Iterator[EmbeddedServer]:
    """A server of this run's own. start() has seen that it is our child that answers, so it may be written to."""
    with private_folder() as folder:
        server = EmbeddedServer(folder, binary=engine.binary, persist=persist, tcp=tcp, tied=True)
        with server:
            assert server.owned
            yield server
