"""The functions that the fault suite calls. Each writes its runs into a ledger that is no part of any Redis."""

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from doshit import Doshit, current_task

app = Doshit()
HELD_AT_MOST = 120.0
LIMIT = 1.0  # seconds; the time limit of the deaf
EVERY_SIGNAL = set(signal.Signals)


def write(ledger: str, word: str) -> str:
    """Appends one line to the ledger: one write, so that processes do not mix their lines. The id of this task."""
    me = current_task()
    assert me is not None
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {me.id} {os.getpid()} {time.monotonic():.6f}\n".encode())
    os.close(descriptor)
    return me.id


@contextlib.contextmanager
def on_record(ledger: str) -> Iterator[str]:
    """The ledger hears of the begin and, if the run comes so far, of the end."""
    id = write(ledger, "begin")
    yield id
    write(ledger, "end")


@app.task
def work(ledger: str, seconds: float = 0.0) -> str:
    """What most tasks are: it takes its time and ends well. Its result is its own id."""
    with on_record(ledger) as id:
        time.sleep(seconds)
    return id


@app.task
async def awork(ledger: str, seconds: float = 0.0) -> str:
    """The same in an event loop."""
    with on_record(ledger) as id:
        await asyncio.sleep(seconds)
    return id


@app.task
def hold(ledger: str, gate: str) -> str:
    """Runs until the file `gate` is there."""
    with on_record(ledger) as id:
        deadline = time.monotonic() + HELD_AT_MOST
        while not os.path.exists(gate) and time.monotonic() < deadline:
            time.sleep(0.02)
    return id


@app.task
def first_run_holds(ledger: str, gate: str) -> str:
    """Makes the file `gate`, and holds if it was not there before: only the first run does."""
    with on_record(ledger) as id:
        first = not os.path.exists(gate)
        Path(gate).touch()
        time.sleep(HELD_AT_MOST if first else 0)
    return id


@app.task
def raises(ledger: str) -> None:
    write(ledger, "begin")
    raise ValueError("as it was asked to")


@app.task
def ends(ledger: str, how: str) -> None:
    """Ends its process without a result."""
    write(ledger, "begin")
    ENDS[how]()


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    raise SystemExit(3)


ENDS = {
    "segfault": segfault,
    "abort": os.abort,
    "sys.exit": leave,
    "os._exit": lambda: os._exit(0),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


@app.task
def poison(ledger: str) -> None:
    """Kills the whole worker it runs in: first who would notice, then everything."""
    write(ledger, "begin")
    fork_server = os.getppid()
    supervisor = int(Path(f"/proc/{fork_server}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    time.sleep(HELD_AT_MOST)


@app.task
def hog(ledger: str, megabytes_a_second: int, most: int) -> None:
    """Takes memory, and touches it, until it has `most` megabytes. Notes when it has passed each hundred."""
    write(ledger, "begin")
    hoard: list[bytes] = []
    begun = time.monotonic()
    while len(hoard) < most:
        hoard.append(b"x" * (1 << 20))
        if len(hoard) % 100 == 0:
            write(ledger, f"has-{len(hoard)}")
        time.sleep(max(0.0, begun + len(hoard) / megabytes_a_second - time.monotonic()))
    time.sleep(HELD_AT_MOST)


@app.task
def deaf(ledger: str, how: str, seconds: float) -> str:
    """Hears nothing for so long: see DEAF."""
    with on_record(ledger) as id:
        DEAF[how](seconds)
    return id


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def long_c_call(seconds: float) -> None:
    """One call into C that holds the GIL: no handler written in Python runs meanwhile."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def masked(seconds: float) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, EVERY_SIGNAL)
    spin(seconds)


def stubborn(seconds: float) -> None:
    """Ignores what can be ignored, and catches what is raised inside it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            time.sleep(end - time.monotonic())


def long_sleep(seconds: float) -> None:
    """usleep of more than a call may take, again and again, in C that releases the GIL."""
    ctypes.CDLL(None).usleep(int(seconds * 1e6))


DEAF = {
    "while True: pass": spin,
    "a C call with the GIL": long_c_call,
    "a C call without the GIL": long_sleep,
    "every signal masked": masked,
    "catches everything": stubborn,
}


@app.task
def daemon(ledger: str) -> str:
    """Leaves a grandchild behind that has its own session, ignores TERM, and would live for minutes."""
    with on_record(ledger) as id:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                write(ledger, "grandchild")
                time.sleep(HELD_AT_MOST)
            os._exit(0)
        while not any(line.startswith(f"grandchild {id} ") for line in Path(ledger).read_text().splitlines()):
            time.sleep(0.005)
    return id


@app.task
def fork_bomb(ledger: str, at_most: int) -> str:
    """Forks until it is refused, or has forked so often. Each of its processes sleeps."""
    write(ledger, "begin")
    for _ in range(at_most):
        if os.fork() == 0:
            time.sleep(HELD_AT_MOST)
    return write(ledger, "end")


@app.task
def flood(ledger: str, megabytes: int) -> str:
    """Prints so much, by the file descriptor and by print."""
    page = b"all work and no play" * 50_000
    with on_record(ledger) as id:
        for _ in range(megabytes):
            left = memoryview(page)
            while left:
                left = left[os.write(1, left) :]
        print("flood" * 1000)
    return id
