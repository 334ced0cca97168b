"""The functions that the worker tests call: well behaved, hostile, and held until a test lets them go."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from doshit import Doshit, current_task

app = Doshit()
HELD_AT_MOST = 60.0
FALSY: dict[str, Any] = {"null": None, "zero": 0, "false": False, "text": "", "array": [], "object": {}}
hoard: list[bytes] = []


def note(file: str, line: str) -> None:
    """Appends one line to a ledger outside Redis: one write, so that processes do not mix their lines."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


@app.task
def echo(text: Any) -> Any:
    return text


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
async def aadd(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


@app.task
def fail(message: str) -> None:
    raise ValueError(message)


@app.task
def falsy(which: str) -> Any:
    return FALSY[which]


@app.task
def any_value(value: Any) -> int:
    return len(str(value))


@app.task
def count(ledger: str, name: str) -> int:
    """Writes down that it ran, and where."""
    note(ledger, f"{name} {os.getpid()}")
    return os.getpid()


@app.task
def count_slowly(ledger: str, name: str) -> int:
    """Like count, and takes two milliseconds."""
    time.sleep(0.002)
    return count(ledger, name)


@app.task
def block(gate: str, name: str) -> str:
    """Says that it has begun, by a file, and runs until the file `open` is there."""
    folder = Path(gate)
    note(f"{gate}/{name}", str(os.getpid()))
    deadline = time.monotonic() + HELD_AT_MOST
    while not (folder / "open").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    return name


@app.task
def spin(seconds: float) -> None:
    """Keeps a CPU busy for so long: a task of a known length that no signal shortens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@app.task
def pid() -> int:
    return os.getpid()


@app.task
def big(size: int) -> str:
    return "x" * size


@app.task
def nan() -> float:
    return float("nan")


@app.task
def unknown_type() -> Any:
    return threading.Lock()


@app.task
def hoarder(size: int) -> int:
    hoard.append(b"x" * size)
    return os.getpid()


@app.task
def leave(status: int) -> None:
    os._exit(status)


@app.task
def gone(status: int) -> None:
    sys.exit(status)


@app.task
def segfault() -> None:
    ctypes.string_at(0)


@app.task
def kill_self(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


@app.task
def threads() -> int:
    """Leaves a thread behind that would never end."""
    threading.Thread(target=threading.Event().wait).start()
    return os.getpid()


@app.task
def fork_and_return() -> str:
    """Both processes return from the task."""
    os.fork()
    return "forked"


@app.task
def close_descriptors() -> None:
    os.closerange(3, 256)


@app.task
def scribble(text: str) -> str:
    """Writes to every descriptor that is not its own."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, text.encode())
        except OSError:
            continue
    return "scribbled"


@app.task
def spoken(text: str) -> None:
    """Prints a lot."""
    print(text * 10_000)


class Nameless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@app.task
def nameless() -> None:
    raise Nameless


class BadCode:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@app.task
def bad_exit() -> None:
    raise SystemExit(BadCode())


@app.task
def interrupt() -> None:
    raise KeyboardInterrupt


@app.task
def recurse() -> int:
    return 1 + int(recurse())


@app.task
def long_error(size: int) -> None:
    raise ValueError("\N{SNOWMAN}" * size + "\ud800")


@app.task
def myself() -> dict[str, Any]:
    """What a run can know of itself."""
    me = current_task()
    assert me is not None
    return {"id": me.id, "function": me.function, "attempt": me.attempt, "claim": me.claim}
