"""The command `doshit dev`: a server, unless one is named, and a worker that starts again when the code changes."""

from __future__ import annotations

import argparse
import os

from doshit.cli.server import named_server, tell_how_to_use
from doshit.cli.worker import prefix_of, queues_of
from doshit.server import EmbeddedServer
from doshit.worker.supervisor import Settings
from doshit.worker.supervisor import run as run_worker


def run(args: argparse.Namespace) -> int:
    url = named_server(args)
    if url is not None:
        return _work(args, url)
    with EmbeddedServer() as server:
        return _work(args, server.url)


def _work(args: argparse.Namespace, url: str) -> int:
    tell_how_to_use(url, args.prefix)
    # The tasks' own code may enqueue too, and must find the same server.
    os.environ["DOSHIT_REDIS"] = url
    return run_worker(
        Settings(
            targets=tuple(args.target),
            queues=queues_of(args),
            concurrency=args.concurrency,
            url=url,
            prefix=prefix_of(args),
            unknown_grace=0.0,
            reload=True,
            verbose=args.verbose,
            log_format=args.log_format,
        )
    )
