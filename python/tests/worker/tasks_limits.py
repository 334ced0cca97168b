"""What the tests of limits, cancels, retries, output and leftovers call: obedient, deaf, greedy, talkative, untidy."""

import asyncio
import contextlib
import itertools
import logging
import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from doshit import Cancel, Doshit, Retry, TaskCancelled, TimeLimitExceeded, current_task, progress

app = Doshit()
HELD_AT_MOST = 60.0
MEGABYTE = 1 << 20
kept: list[Any] = []


def attempt() -> int:
    """Which run of its task this is."""
    me = current_task()
    assert me is not None
    return me.attempt


def write_down(file: str, line: str) -> None:
    """One line, in one write, outside Redis."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def wait_for(file: str) -> None:
    end = time.monotonic() + HELD_AT_MOST
    while not os.path.exists(file) and time.monotonic() < end:
        time.sleep(0.002)


# Of ordinary life


@app.task
def pid() -> int:
    return os.getpid()


@app.task
def echo(text: Any = None) -> Any:
    return text


@app.task
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@app.task
def hold(gate: str) -> int:
    """Says that it has begun, by the file gate + `.begun`, and runs until the file `gate` is there."""
    write_down(f"{gate}.begun", str(os.getpid()))
    wait_for(gate)
    return os.getpid()


@app.task(time_limit=0.3)
def limited(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


# Limits of time


@app.task
def seconds_left() -> float | None:
    me = current_task()
    assert me is not None
    return None if me.deadline is None else me.deadline - time.monotonic()


@app.task
def saves_what_it_has(seconds: float) -> str:
    try:
        time.sleep(seconds)
    except TimeLimitExceeded:
        return "half of it"
    return "all of it"


@app.task
def turns_it_into(what: str) -> None:
    try:
        time.sleep(HELD_AT_MOST)
    except TimeLimitExceeded as error:
        raise {"ValueError": ValueError("too slow"), "SystemExit": SystemExit(3), "Retry": Retry(0.01)}[what] from error


@app.task
def swallows_exceptions() -> None:
    """What `except Exception` catches is no end for it."""
    end = time.monotonic() + HELD_AT_MOST
    while time.monotonic() < end:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def _spin() -> None:
    end = time.monotonic() + HELD_AT_MOST
    while time.monotonic() < end:
        pass


def _masked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _spin()


def _catches_everything() -> None:
    end = time.monotonic() + HELD_AT_MOST
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            while True:
                pass


def _holds_the_gil() -> None:
    sum(itertools.repeat(1, 5_000_000_000))


def _ignores_the_signal() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    time.sleep(HELD_AT_MOST)


def _dies_of_the_signal() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    time.sleep(HELD_AT_MOST)


def _stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _cleans_up_for_ever() -> None:
    try:
        time.sleep(HELD_AT_MOST)
    finally:
        _spin()


DEAF = {
    "every signal masked": _masked,
    "catches everything": _catches_everything,
    "a C call with the GIL": _holds_the_gil,
    "ignores the signal": _ignores_the_signal,
    "dies of the signal": _dies_of_the_signal,
    "stopped": _stops_itself,
    "cleans up for ever": _cleans_up_for_ever,
}


@app.task
def deaf(how: str, begun: str = "") -> None:
    if begun:
        write_down(begun, str(os.getpid()))
    DEAF[how]()


@app.task
def deaf_family(file: str) -> None:
    """Deaf, with a daemon below it that has forked twice and has a session of its own, and a plain subprocess."""
    plain = subprocess.Popen(["sleep", str(HELD_AT_MOST)])
    daemonise(file)
    write_down(file, str(plain.pid))
    _catches_everything()


def daemonise(file: str) -> None:
    """Leaves a process behind whose parent is gone; returns when its pid stands in the file."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            write_down(f"{file}.new", str(os.getpid()))
            os.rename(f"{file}.new", file)  # it is there once its pid stands in it
            time.sleep(HELD_AT_MOST)
        os._exit(0)
    os.waitpid(middle, 0)
    wait_for(file)


# Limits of memory


def _take(megabytes: int) -> list[bytes]:
    hoard = []
    for _ in range(megabytes):
        hoard.append(b"x" * MEGABYTE)
        time.sleep(0.001)
    return hoard


@app.task
def hog(megabytes: int) -> str:
    return f"had {len(_take(megabytes))} MB"


@app.task(memory_limit="64MB")
def limited_hog(megabytes: int) -> str:
    return f"had {len(_take(megabytes))} MB"


@app.task
def hog_below(megabytes: int) -> str:
    """The hog is a child process, which forgives itself nothing."""
    code = f"import time\nhoard = []\nfor _ in range({megabytes}): hoard.append(b'x' * (1 << 20)); time.sleep(0.001)"
    return f"ended with {subprocess.run([sys.executable, '-c', code + chr(10) + 'time.sleep(30)']).returncode}"


@app.task
def huge(megabytes: int) -> int:
    """One allocation, which the kernel would give."""
    return len(bytearray(megabytes * MEGABYTE))


@app.task
def reserves(megabytes: int) -> int:
    """Asks for memory and touches none of it."""
    with mmap.mmap(-1, megabytes * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        return len(memory)


@app.task
def deaf_hog(megabytes: int) -> str:
    """Goes on after a MemoryError."""
    hoard: list[bytes] = []
    while len(hoard) < megabytes:
        with contextlib.suppress(MemoryError):
            hoard.append(b"x" * MEGABYTE)
            time.sleep(0.001)
    time.sleep(HELD_AT_MOST)
    return "was let"


@app.task
def forgiving_hog(megabytes: int) -> str:
    """Lets go of what it has at a MemoryError, and does it in a smaller way."""
    try:
        _take(megabytes)
    except MemoryError:
        return "in a smaller way"
    return "was let"


@app.task
def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@app.task
def burn_deaf() -> int:
    """One call of C code that looks at no signal."""
    return sum(range(10**12))


@app.task
def burn_below(seconds: float) -> None:
    """A child process does it."""
    code = f"import time\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


# Cancel


@app.task
def notes_its_cancel(gate: str) -> str:
    """Begins like hold; returns what it could know of its cancel."""
    me = current_task()
    assert me is not None
    before = me.cancelled
    try:
        hold.function(gate)
    except TaskCancelled:
        return f"{before} {me.cancelled}"
    return "not cancelled"


@app.task(retries=5, retry_delay=0.01)
def held_and_retried(gate: str) -> None:
    hold.function(gate)


@app.task(retries=5, retry_delay=0.01)
def wants_another_run(gate: str) -> None:
    try:
        hold.function(gate)
    except BaseException as error:
        raise Retry(after=0) from error


@app.task
def cancels_itself(returned: bool) -> Any:
    if returned:
        return Cancel("nobody needs it")
    raise Cancel("nobody needs it")


# Retries


@app.task
def fails_until(attempt_that_works: int) -> int:
    if attempt() < attempt_that_works:
        raise ValueError(f"attempt {attempt()} does not work")
    return attempt()


@app.task(retries=2, retry_delay=0.01)
def fails_twice_at_most(message: str) -> None:
    raise ValueError(message)


@app.task(retries=3, retry_delay=0.01, retry_on=(ConnectionError, TimeLimitExceeded))
def retried_on_connection(kind: str) -> None:
    raise {"ConnectionResetError": ConnectionResetError, "ValueError": ValueError}[kind]("as asked")


@app.task(retries=3, retry_delay=0.01, no_retry_on=LookupError)
def not_retried_on_lookup(kind: str) -> None:
    raise {"KeyError": KeyError, "ValueError": ValueError}[kind]("as asked")


@app.task
def asks_for_another(until_attempt: int, after: float | None = 0.0, returned: bool = False) -> Any:
    if attempt() >= until_attempt:
        return attempt()
    if returned:
        return Retry(after, "not yet")
    raise Retry(after, "not yet")


@app.task(retries=2, retry_delay=0.01)
def asks_for_ever() -> None:
    raise Retry(0, "not yet")


@app.task(retries=1, retry_delay=0.01)
def dies_at_first(how: str) -> int:
    if attempt() > 1:
        return attempt()
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "os._exit":
        os._exit(0)
    if how == "sys.exit":
        sys.exit(3)
    _masked() if how == "masked" else time.sleep(HELD_AT_MOST)
    return 0


@app.task(retries=3, retry_delay=0.01)
def takes_a_number(number: int) -> int:
    return number


# Output


@app.task
def says(text: str, way: str = "print") -> None:
    WAYS[way](text)


def _by_subprocess(text: str) -> None:
    subprocess.run(["echo", text], check=True)


def _by_thread(text: str) -> None:
    thread = threading.Thread(target=print, args=(text,))
    thread.start()
    thread.join()


def _by_fork(text: str) -> None:
    process = multiprocessing.get_context("fork").Process(target=print, args=(text,))
    process.start()
    process.join()


WAYS: dict[str, Any] = {
    "print": print,
    "stderr": lambda text: print(text, file=sys.stderr),
    "logging": lambda text: logging.getLogger("mine").info(text),
    "descriptor": lambda text: os.write(1, f"{text}\n".encode()),
    "buffer": lambda text: sys.stdout.buffer.write(f"{text}\n".encode()),
    "subprocess": _by_subprocess,
    "thread": _by_thread,
    "forked": _by_fork,
}


@app.task
def says_bytes(hexed: str) -> None:
    os.write(1, bytes.fromhex(hexed))


@app.task
def says_in_pieces(text: str, size: int, gate: str) -> None:
    """Through the descriptor, in pieces that cut characters, each for itself."""
    data = text.encode()
    for at in range(0, len(data), size):
        os.write(1, data[at : at + size])
        time.sleep(0.02)
    hold.function(gate)


@app.task
def says_and_holds(text: str, gate: str, way: str = "print") -> None:
    WAYS[way](text)
    hold.function(gate)


@app.task
def floods(way: str, megabytes: int) -> str:
    if way == "print":
        for _ in range(megabytes):
            print("y" * MEGABYTE)
    elif way == "lines":
        for number in range(megabytes * 10_000):
            print(number)
    elif way == "no newline":
        for _ in range(megabytes):
            print("y" * MEGABYTE, end="")
    else:
        subprocess.run(f"yes | head -c {megabytes}M", shell=True, check=True)
    return "done"


@app.task
def forks_that_flood(processes: int, kilobytes: int) -> str:
    """Forked copies of this process print at the same time."""

    def flood() -> None:
        for _ in range(kilobytes):
            print("y" * 1023)

    many = [multiprocessing.get_context("fork").Process(target=flood) for _ in range(processes)]
    for process in many:
        process.start()
    for process in many:
        process.join()
    return f"{[process.exitcode for process in many]}"


@app.task
def leaves_a_talker() -> int:
    """What it has started goes on writing after its end."""
    subprocess.Popen(["yes", "of the first"])
    return os.getpid()


@app.task
def tells(steps: int, gate: str = "") -> None:
    for step in range(steps):
        progress((step + 1) / steps, f"step {step + 1}")
    if gate:
        hold.function(gate)


@app.task
def sets_up_its_streams() -> str:
    """What programs do to the streams that they expect."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stdout.writelines(["one\n", "two\n"])
    sys.stdout.flush()
    return f"{sys.stdout.encoding} {sys.stdout.fileno()} {sys.stdout.isatty()}"


@app.task
async def asays(text: str, times: int) -> None:
    for _ in range(times):
        print(text)
        await asyncio.sleep(0)
        await asyncio.to_thread(print, text)


# Leftovers


def _leaves_a_handler() -> None:
    signal.signal(signal.SIGALRM, lambda number, frame: None)


def _leaves_a_thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


CHANGES: dict[str, Any] = {
    "directory": lambda: os.chdir("/"),
    "environment": lambda: os.environ.update(LEFT_BEHIND="1"),
    "umask": lambda: os.umask(0o000),
    "handler": _leaves_a_handler,
    "thread": _leaves_a_thread,
    "mask": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}),
}


@app.task
def changes(what: str) -> int:
    CHANGES[what]()
    return os.getpid()


@app.task
def tidies_up(what: str) -> int:
    """Changes it and sets it right again, as it should."""
    if what == "directory":
        here = os.getcwd()
        os.chdir("/")
        os.chdir(here)
    else:
        os.environ["LEFT_BEHIND"] = "1"
        del os.environ["LEFT_BEHIND"]
    return os.getpid()


@app.task
def waits_for_a_process(file: str) -> None:
    """Has a daemon below it, and a plain process that it waits for."""
    daemonise(file)
    with subprocess.Popen(["sleep", str(HELD_AT_MOST)]) as plain:
        write_down(file, str(plain.pid))


@app.task
def leaves_a_process(file: str, daemon: bool) -> int:
    if daemon:
        daemonise(file)
    else:
        write_down(file, str(subprocess.Popen(["sleep", str(HELD_AT_MOST)]).pid))
    return os.getpid()


@app.task
def dies_above_a_process(file: str) -> None:
    """Ends its process while another is below it."""
    daemonise(file)
    os._exit(0)


@app.task(fresh=True)
def fresh() -> int:
    kept.append(1)
    return os.getpid() if len(kept) == 1 else -1


# Many at once


@app.task
async def apid() -> int:
    return os.getpid()


@app.task
async def together(folder: str, wanted: int) -> int:
    """Ends when so many of them run at once."""
    me = current_task()
    assert me is not None
    write_down(f"{folder}/{me.id}", "")
    while len(os.listdir(folder)) < wanted:
        await asyncio.sleep(0.01)
    return os.getpid()


@app.task
async def ahold(gate: str) -> int:
    """Like hold, with an await. It says so for each run."""
    write_down(f"{gate}.begun", str(attempt()))
    while not os.path.exists(gate):
        await asyncio.sleep(0.01)
    return os.getpid()


@app.task
async def adeaf(begun: str) -> None:
    """Takes no cancel."""
    write_down(begun, "")
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(HELD_AT_MOST)


@app.task
async def ablocks(begun: str = "") -> None:
    """Holds the loop that others need."""
    if begun:
        write_down(begun, "")
    time.sleep(HELD_AT_MOST)


@app.task
async def acrash(gate: str) -> None:
    """Ends its process when the gate is open. It says so for each run."""
    write_down(f"{gate}.begun", str(attempt()))
    while not os.path.exists(gate):
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
async def asaves_what_it_has() -> str:
    try:
        await asyncio.sleep(HELD_AT_MOST)
    except asyncio.CancelledError:
        return "half of it"
    return "all of it"


@app.task(alone=True)
async def alone(gate: str) -> int:
    write_down(f"{gate}.begun", str(os.getpid()))
    while not os.path.exists(gate):
        await asyncio.sleep(0.01)
    return os.getpid()


@app.task
async def aid() -> str:
    """Which task its context says it is, after others have run in between."""
    await asyncio.sleep(0.01)
    me = current_task()
    assert me is not None
    return me.id


def begun(gate: str | Path) -> list[str]:
    """The lines that the runs held at this gate have written, one for each."""
    file = Path(f"{gate}.begun")
    return file.read_text().split("\n")[:-1] if file.exists() else []
