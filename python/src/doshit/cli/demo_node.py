"""What the demo shows of Node.js: two files, and whether Node.js and its package are here to run them. Runs neither."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import doshit

WORDS = """\
export const shout = {
  doc: 'The text in capitals.',
  schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  handler: async ({ text }) => `${text.toUpperCase()}!`,
};
"""
"""words.mjs, which a Node worker serves."""

CALL = """\
import { Doshit } from 'doshit';

const doshit = new Doshit();
const handle = await doshit.enqueue('add', { a: 1, b: 2 });
console.log(await handle.result({ timeout: 20 }));
await doshit.close();
"""
"""call.mjs, a Node producer."""

_OLDEST = (20, 19)
# In a clone the Node package lies beside this one. It is on no registry yet.
_PACKAGE = Path(doshit.__file__).parents[3] / "node"


class Node(NamedTuple):
    """program: the path of node; package: the folder of the Node package, built."""

    program: str
    package: Path

    @property
    def worker(self) -> list[str]:
        """The command that serves words.mjs."""
        return [self.program, str(self.package / "dist" / "cli" / "main.js"), "worker", "words.mjs"]


def find() -> Node | str:
    """Node.js with its package, or in a line why there is none."""
    program = shutil.which("node")
    if program is None:
        return "there is no `node` on the path; install Node.js 20.19 or newer"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if _version(said) < _OLDEST:
        return f"{program} is {said or 'no Node.js'}; install Node.js 20.19 or newer"
    if not (_PACKAGE / "dist" / "cli" / "main.js").exists() or not (_PACKAGE / "node_modules").exists():
        return "the Node package is not built beside this one; `make demo` in a clone of the repository builds it"
    return Node(program, _PACKAGE)


def _version(said: str) -> tuple[int, ...]:
    return tuple(int(part) for part in said.removeprefix("v").split(".")[:2] if part.isdigit())
