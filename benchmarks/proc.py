"""Reads what processes have used, from /proc (Linux). Touches none of them."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`, oldest first."""
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(child for child in found if (stat := _stat(child)) and int(stat[1]) == pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads so far, in steps of 10 ms; 0 for one that has ended."""
    stat = _stat(pid)
    return (int(stat[11]) + int(stat[12])) / TICKS if stat else 0.0


def memory_mb(pid: int) -> float:
    """What it holds in memory that is no file's, in MB of 2**20 bytes; pages that processes share are divided.

    Pages of files are left out: their share changes whenever another program loads the same library.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} shows no Pss_Anon; the benchmarks need Linux 5.10 or newer")


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, from the state on; [] for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
