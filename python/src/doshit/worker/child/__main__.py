"""A child started by exec, for targets whose import starts threads: imports the target itself, then serves."""

from __future__ import annotations

import json
import os
import sys

from doshit.worker.child.serve import Child, Descriptors
from doshit.worker.forkserver.target import load_all
from doshit.worker.process import die_with_parent
from doshit.worker.wire import Terms


def main() -> None:
    descriptors, parent = json.loads(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    targets, terms, is_many = json.loads(sys.argv[3])
    Child(Descriptors(*descriptors), load_all(targets), Terms(*terms), is_many).serve()
    sys.stdout.flush()
    os._exit(0)  # threads of the target must not keep a served-out child


if __name__ == "__main__":
    main()
