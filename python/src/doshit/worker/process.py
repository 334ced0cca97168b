"""What the kernel is asked of processes: dying together, who is below whom, what they use. Only Linux answers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 100  # looks for newcomers while a family is stopped: a fork bomb is met by a bound


def _prctl(option: int, argument: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)
    return True


def die_with_parent(parent: int) -> bool:
    """Has the kernel SIGKILL this process when the thread that made it ends (prctl(2), PR_SET_PDEATHSIG).

    parent: the pid that must be the parent; exits at once if it is gone already. False where there is no such call.
    """
    if not _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL):
        return False
    if os.getppid() != parent:
        os._exit(0)
    return True


def outlive_parent() -> None:
    """Takes that back: this process ends itself, in order, when it finds its parent gone."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> bool:
    """Makes this process the parent of what its descendants leave behind (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def resident_bytes(pid: int | str = "self") -> int:
    """The resident memory of a process, 0 where /proc does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def children_of(pid: int) -> set[int]:
    """The processes whose parent this one is. Empty where /proc does not tell."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as children:
                found.update(map(int, children.read().split()))
    return found


def descendants(pid: int) -> set[int]:
    """All that is below this process."""
    found, look = set[int](), [pid]
    while look:
        new = children_of(look.pop()) - found
        found |= new
        look += new
    return found


def kill_below(pid: int, spare: Iterable[int] = ()) -> bool:
    """SIGKILLs all that is below a process but `spare` and what is below that. Were there any?

    They are stopped first, so that none can have a child that is missed.
    """
    spared = set(spare)
    for one in list(spared):
        spared |= descendants(one)
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        new = descendants(pid) - stopped - spared
        if not new:
            break
        _signal(new, signal.SIGSTOP)
        stopped |= new
    _signal(stopped, signal.SIGKILL)
    return bool(stopped)


def kill_family(pid: int) -> None:
    """SIGKILLs a process and all that is below it."""
    _signal((pid,), signal.SIGSTOP)
    kill_below(pid)
    _signal((pid,), signal.SIGKILL)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap(spare: Iterable[int] = ()) -> None:
    """Takes the exit status of this process's children that have ended, but for those in `spare`."""
    for pid in children_of(os.getpid()) - set(spare):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def anonymous_bytes(pids: Iterable[int]) -> int:
    """The anonymous memory of processes, 0 where /proc does not tell (proc(5), RssAnon)."""
    return sum(_status_bytes(pid, b"RssAnon:") for pid in pids)


def private_bytes(pids: Iterable[int]) -> int:
    """What these have written and share with no other process: of a forked copy, only what it has changed since."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            found += sum(int(line.split()[1]) << 10 for line in rollup if line.startswith(b"Private_Dirty:"))
    return found


def reset_peak() -> None:
    """Begins to measure the peak of this process's memory anew (proc(5), clear_refs)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "wb") as clear:
        clear.write(b"5")


def peak_bytes(pid: int | str = "self") -> int:
    """The most resident memory since then, 0 where /proc does not tell (proc(5), VmHWM)."""
    return _status_bytes(pid, b"VmHWM:")


def processor_micros(pid: int) -> int:
    """Microseconds of the processor that a process and those it waited for have used (proc(5), stat); else 0."""
    ticks = sum(map(int, _stat(pid)[11:15]))
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


def data_bytes() -> int:
    """What counts against RLIMIT_DATA now (proc(5), VmData)."""
    return _status_bytes(os.getpid(), b"VmData:")


def _status_bytes(pid: int | str, name: bytes) -> int:
    for line in _status(pid):
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0


def _status(pid: int | str) -> Iterator[bytes]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:
        yield from status


def started(pid: int) -> str:
    """When a process started, in clock ticks since the boot, "" if it is not there (proc(5), stat field 22)."""
    return b"".join(_stat(pid)[19:20]).decode()


def _stat(pid: int) -> list[bytes]:
    """The fields of its stat from the third on, which stands at 0; none where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()
    except OSError:
        return []


def boot() -> str:
    """The id of this boot of the kernel, "" where it does not tell (random(4), boot_id)."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot_id:
            return boot_id.read().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Which pid namespace this process sees, "" where there are none: only within one does a pid mean anything."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
