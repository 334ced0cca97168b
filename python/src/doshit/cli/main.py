"""Entry of the `doshit` command: parse, hand over to one file per command, turn errors into one line and an exit code.

Exit codes: 0 done; 1 an error, told in one line on stderr; 2 a command that cannot be read; 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from doshit.cli.parser import UsageError, parse
from doshit.cli.text import one_line
from doshit.errors import DoshitError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line, by default the process's own, and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # Text of others must not end a command because a terminal cannot show it.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        parser, args = parse(sys.argv[1:] if argv is None else argv)
        try:
            # Only now: `--help` must not pay for a Redis client.
            code: int = import_module(f"doshit.cli.{args.command}").run(args)
        except UsageError as error:
            parser.error(str(error))
        sys.stdout.flush()
        return code
    except DoshitError as error:
        print(f"doshit: {one_line(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read the output has gone, as in `doshit status | head -1`; the flush at exit must not complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
