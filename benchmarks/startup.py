"""How long the command and the import take, beside a bare Python."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from measure import Report, say
from table import Row, Target


def measure(quick: bool) -> Report:
    rounds = 5 if quick else 11
    commands = {
        "bare": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import doshit"],
        "help": [str(Path(sys.executable).with_name("doshit")), "--help"],
    }
    for command in commands.values():
        _milliseconds(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(_milliseconds(command))
    bare = median(times["bare"])
    say(f"start-up: bare Python {bare:.0f} ms")
    return Report(
        [
            _row("doshit --help, the whole process", times["help"], bare, 0.0, Target("<=", 100, "ms")),
            _row("import doshit, over bare Python", times["import"], bare, bare, Target("<=", 60, "ms")),
        ]
    )


def _row(name: str, times: list[float], floor: float, less: float, target: Target) -> Row:
    spread = f" ({min(times) - less:.0f} to {max(times) - less:.0f})"
    middle = median(times)
    return Row(name, f"{middle:.0f} ms", f"{floor:.0f} ms", middle - less, spread, target)


def _milliseconds(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (perf_counter() - start) * 1000
