"""What the kernel is asked for: dying with one's parent, memory figures. Only Linux does it; elsewhere it says so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> bool:
    """Has the kernel SIGKILL this process when the thread that made it ends (prctl(2), PR_SET_PDEATHSIG).

    parent: the pid that must be the parent; exits at once if it is gone already. False where there is no such call.
    """
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    return True


def resident_bytes() -> int:
    """The resident memory of this process, 0 where /proc does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
