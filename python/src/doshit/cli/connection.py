"""From a command's options to the app they mean. Connects to nothing."""

from __future__ import annotations

import argparse

from doshit.cli.parser import UsageError
from doshit.client import Doshit


def app_of(args: argparse.Namespace) -> Doshit:
    """The app of --redis, --prefix and --queue, or of the environment. Raises ConfigurationError for a bad one."""
    return Doshit(args.redis, prefix=args.prefix, queue=getattr(args, "queue", None))


def refuse_redis(args: argparse.Namespace) -> None:
    """Raises UsageError where a server is named to a command that starts its own."""
    if args.redis is not None:
        raise UsageError(f"argument --redis: `{args.command}` starts a server of its own; leave it out")
