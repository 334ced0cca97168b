"""A child started by exec, for targets whose import starts threads: imports the target itself, then serves."""

from __future__ import annotations

import json
import os
import socket
import sys

from doshit.worker.child.run import Runner
from doshit.worker.child.serve import Child, Wear
from doshit.worker.forkserver.target import load
from doshit.worker.process import die_with_parent


def main() -> None:
    channel, token_pipe, parent = (int(argument) for argument in sys.argv[1:4])
    die_with_parent(parent)
    target, runs, growth = json.loads(sys.argv[4])
    app = load(target)
    with socket.socket(fileno=channel) as stream:
        Child(stream, token_pipe, Runner(app.registry), Wear(runs, growth)).serve(app.child_start_hooks)
    sys.stdout.flush()
    os._exit(0)  # threads of the target must not keep a served-out child


if __name__ == "__main__":
    main()
