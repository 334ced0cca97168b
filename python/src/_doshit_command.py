"""The script `doshit`: quiet at Ctrl-C also while the package is imported, and so outside of it. Knows no command."""

from __future__ import annotations


def main() -> int:
    """Runs the process's own command line and returns its exit code."""
    try:
        from doshit.cli.main import main

        return main()
    except KeyboardInterrupt:
        return 130  # as doshit.cli.main answers it later
