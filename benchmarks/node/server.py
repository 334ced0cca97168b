"""A server for the benchmarks of Node: the embedded one without persistence, as for those of Python. Measures nothing.

Prints its socket once it answers, and ends with its stdin. DOSHIT_TEST_SERVER names another binary.
"""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from doshit.server import EmbeddedServer

with tempfile.TemporaryDirectory(prefix="doshit-") as folder:
    binary = os.environ.get("DOSHIT_TEST_SERVER")
    # It has seen that it is its own child that answers.
    with EmbeddedServer(Path(folder), binary=Path(binary) if binary else None, persist=False, tied=True) as server:
        print(urlsplit(server.url).path, flush=True)
        sys.stdin.read()
