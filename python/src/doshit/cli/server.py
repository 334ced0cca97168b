"""The command `doshit server`: the embedded server, for as long as somebody holds it open. Starts no worker."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from types import FrameType

from doshit.cli.connection import refuse_redis
from doshit.server import EmbeddedServer


def run(args: argparse.Namespace) -> int:
    refuse_redis(args)
    signal.signal(signal.SIGTERM, _interrupt)
    server = EmbeddedServer(port=args.port).start()
    try:
        if server.owned:
            tell_how_to_use(server.url, args.prefix)
            print(f"its data are in {server.data_dir}; Ctrl-C stops it", file=sys.stderr)
        else:
            print(f"a server ran already (process {server.pid}); it is left as it is", file=sys.stderr)
        # The last word: who reads it may stop this command at once, and would cut short what came after.
        print(server.url, flush=True)
        return _hold_open(server) if server.owned else 0
    except KeyboardInterrupt:
        return 0  # from the moment that its URL is told, this is how it is meant to end
    finally:
        server.stop()


def tell_how_to_use(url: str, prefix: str | None) -> None:
    """Prints, for a person, what other clients need to reach it."""
    lines = [f"export DOSHIT_REDIS={shlex.quote(url)}"]
    if prefix is not None:
        lines.append(f"export DOSHIT_APP_PREFIX={shlex.quote(prefix)}")
    print("for other clients:", *lines, sep="\n  ", file=sys.stderr)


def _hold_open(server: EmbeddedServer) -> int:
    """Returns 1 when the server has ended on its own. Raises KeyboardInterrupt at Ctrl-C or SIGTERM."""
    status = server.wait()
    print(f"doshit: the server ended (exit status {status}); its log is in {server.data_dir}", file=sys.stderr)
    return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def named_server(args: argparse.Namespace) -> str | None:
    """The URL of the server that --redis or the environment names, or None."""
    return args.redis or os.environ.get("DOSHIT_REDIS") or os.environ.get("REDIS_URL") or None
