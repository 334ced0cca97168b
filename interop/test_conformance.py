"""The runners of protocol/conformance in both languages run the same cases, and say so in the same words."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Some of each folder: each language's own tests run all.
SOME = ("backoff", "sealed", "falsy")


def summary(folder: str, *command: str) -> str:
    done = subprocess.run(command, cwd=ROOT / folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"conformance: \d+ cases, .*", done.stdout)
    assert found, done.stdout
    return found[0]


def test_both_count_the_same_cases_as_passed() -> None:
    words = " or ".join(SOME)
    pytest = (sys.executable, "-m", "pytest", "-q", "-n", "0", "--engine", "valkey", "tests/conformance", "-k", words)
    subprocess.run(["npm", "run", "pretest", "--silent"], cwd=ROOT / "node", check=True)
    patterns = [f"--test-name-pattern={word}" for word in SOME]
    python = summary("python", *pytest)
    node = summary("node", "node", *patterns, "build/tests/conformance/conformance.test.js")
    assert python == node
    assert all(re.search(rf"[1-9]\d* {folder}", node) for folder in ("values", "commands", "stories")), node
