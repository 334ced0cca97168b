"""The commands and their options, and how a command line is read. Imports nothing that takes long."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from doshit.values.states import RESULT_TTL

UNKNOWN_GRACE = 30.0

_TOP = """\
examples:
  doshit dev tasks.py                       a server and a worker on this machine, nothing else needed
  doshit worker tasks.py -q urgent -q bulk  a worker; `urgent` is served before `bulk`
  doshit submit add a=1 b=2 --wait          make a task and print its result
  doshit status                             the queues and the workers

Every command tells more: doshit worker --help
"""

_TARGET = "a file of tasks (tasks.py), a module (shop.tasks), or module:app where a module has several apps"


class UsageError(Exception):
    """A command line that can be parsed and still cannot be meant: exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser with the settings all commands share: no abbreviated options, text laid out as it is written."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)


class Version(argparse.Action):
    """--version, looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"doshit {version('doshit')}")
        parser.exit()


def parse(argv: Sequence[str]) -> tuple[Parser, argparse.Namespace]:
    """The parser of the command that is named, and its options. Prints help, or a usage error, and exits on its own."""
    top, commands = _parsers()
    if not argv:
        top.print_help()
        top.exit(2)
    command = commands.get(argv[0])
    if command is None:
        top.parse_args(argv)  # --help, --version, or an error
        raise AssertionError("unreachable: no command was named")
    # Intermixed, so that `submit add -q math a=1` and `submit add a=1 -q math` are the same.
    args = command.parse_intermixed_args(argv[1:])
    args.command = argv[0]
    return command, args


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    top = Parser(prog="doshit", description="A job queue on Redis whose schema is its API.", epilog=_TOP)
    top.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    choices = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    commands = {}
    for name, (line, epilog, add_options) in _COMMANDS.items():
        parser = choices.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.", epilog=epilog)
        add_options(parser)
        _add_connection(parser, starts_server=name in ("server", "demo"))
        commands[name] = parser
    return top, commands


def _add_connection(parser: Parser, starts_server: bool) -> None:
    group = parser.add_argument_group("which server and which app")
    url = "redis://, rediss:// or unix:// (default: DOSHIT_REDIS, else REDIS_URL, else redis://localhost:6379/0)"
    group.add_argument(
        "--redis", metavar="URL", help="refused: this starts a server of its own" if starts_server else url
    )
    group.add_argument("--prefix", help="what all keys of the app begin with (default: DOSHIT_APP_PREFIX, else doshit)")


def _number(kind: Callable[[str], float], least: float, words: str) -> Callable[[str], Any]:
    """An argument type: a number that is at least so much. words: what it is, for the error."""

    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}") from None
        if not least <= value < 1e9:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}, {least:g} or more")
        return value

    return convert


_SECONDS = _number(float, 0, "a number of seconds")
_COUNT = _number(int, 1, "a whole number")


def _wait_seconds(text: str) -> float:
    if "=" in text or not text[:1].isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; put --wait last, or write --wait=30")
    seconds: float = _SECONDS(text)
    return seconds


def _port(text: str) -> int:
    port: int = _number(int, 1, "a port number")(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number, 1 to 65535")
    return port


def _worker(parser: Parser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", help=_TARGET)
    add(
        "-q",
        "--queue",
        dest="queues",
        metavar="NAME",
        action="append",
        help="a queue to serve; several are served in the order given (default: the app's)",
    )
    add("-c", "--concurrency", metavar="N", type=_COUNT, help="processes that run tasks (default: the number of CPUs)")
    add("--burst", action="store_true", help="end once the queues are empty")
    add(
        "--result-ttl",
        metavar="S",
        type=_number(int, 1, "a whole number of seconds"),
        default=RESULT_TTL,
        help="seconds the result of a successful task is kept (default: %(default)s, one day)",
    )
    add(
        "--unknown-grace",
        metavar="S",
        type=_SECONDS,
        default=UNKNOWN_GRACE,
        help="seconds a task may wait for a worker that has its function (default: %(default)g)",
    )
    add("--reload", action="store_true", help="start again when a file of the code changes; for development")
    _add_logging(parser)


def _add_logging(parser: Parser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="log each task")
    parser.add_argument(
        "--log-format",
        choices=["console", "json"],
        default="console",
        help="lines for a person (default) or JSON lines",
    )


def _submit(parser: Parser) -> None:
    add = parser.add_argument
    add("function", metavar="FUNCTION", help="the name of the function; its code is not needed here")
    add("arguments", metavar="name=value", nargs="*", help="an argument: JSON where it parses as JSON, else text")
    add("--args", metavar="JSON", help="arguments as one JSON object; name=value adds to it")
    add("-q", "--queue", metavar="Q", help="the queue (default: DOSHIT_QUEUE, else default)")
    add("--id", help="the task's id (default: a new one); the same id again is the same task")
    add(
        "--wait",
        metavar="S",
        nargs="?",
        type=_wait_seconds,
        const=float("inf"),
        help="wait for the result, at most S seconds, and print it as JSON",
    )
    add("--json", action="store_true", help="print one JSON object")


def _show(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help="the task's id")
    parser.add_argument("--json", action="store_true", help="print the task's fields as one JSON object")


def _status(parser: Parser) -> None:
    add = parser.add_argument
    add("--json", action="store_true", help="print one JSON object")
    add("--check", action="store_true", help="one line, and exit code 0 only if a worker of this host is alive")
    add("--any", action="store_true", help="with --check: a worker of any host will do")
    add(
        "-q",
        "--queue",
        dest="queues",
        metavar="NAME",
        action="append",
        help="with --check: the worker serves this queue (all of them, if several)",
    )


def _server(parser: Parser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        help="listen on this port of the loopback address, with a password (default: a unix socket)",
    )


def _dev(parser: Parser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", help=_TARGET)
    add(
        "-q",
        "--queue",
        dest="queues",
        metavar="NAME",
        action="append",
        help="a queue to serve; may be given several times",
    )
    add("-c", "--concurrency", metavar="N", type=_COUNT, help="processes that run tasks (default: the number of CPUs)")
    _add_logging(parser)


def _demo(parser: Parser) -> None:
    """It has the options that every command has, and no other."""


Options = Callable[[Parser], None]
_COMMANDS: dict[str, tuple[str, str, Options]] = {
    "worker": (
        "run the tasks of a file or module",
        """\
examples:
  doshit worker tasks.py                      one process for each CPU
  doshit worker shop.tasks -q mail -q default `mail` first, then `default`
  doshit worker shop.tasks:app -c 4 --burst   do what is there with 4 processes, then end

Ctrl-C or SIGTERM: no new tasks, what runs may finish for a few seconds, the rest is handed back. A second one: now.
In a container, use `doshit status --check` as the liveness probe.
""",
        _worker,
    ),
    "submit": (
        "make a task",
        """\
examples:
  doshit submit add a=1 b=2                   prints the id
  doshit submit add a=1 b=2 --wait            prints 3
  doshit submit echo text=hello --wait 10     prints "hello", or gives up after 10 seconds
  doshit submit echo text='"5"'               a value that is JSON is JSON: this is the text 5, text=5 is the number
  doshit submit mail --args '{"to": ["a@example.org"]}' --id order-7

With --wait, exit code 0 means that the task was successful.
""",
        _submit,
    ),
    "show": (
        "show one task",
        """\
examples:
  doshit show 0190b3a4-7c1e-7000-8000-0123456789ab
  doshit show order-7 --json
""",
        _show,
    ),
    "status": (
        "show the queues and the workers",
        """\
examples:
  doshit status
  doshit status --json
  doshit status --check                       a container's liveness probe: exit 0 if its worker is alive
  doshit status --check --any -q mail         exit 0 if a worker anywhere serves `mail`

The oldest age is that of the task that has waited longest, "-" where its producer gave no time.
""",
        _status,
    ),
    "server": (
        "run the embedded server in the foreground and print its URL",
        """\
examples:
  doshit server                               a unix socket that only you can reach
  doshit server --port 6400                   for clients that need TCP

Its data are kept in your data folder and survive a restart. Ctrl-C stops it.
""",
        _server,
    ),
    "dev": (
        "run a server and a worker that reloads, for development",
        """\
examples:
  doshit dev tasks.py
  doshit dev shop.tasks:app -v --redis redis://localhost:6379/0   your own server

Starts the embedded server, unless --redis, DOSHIT_REDIS or REDIS_URL names one. Unknown functions fail at once.
""",
        _dev,
    ),
    "demo": (
        "watch tasks run, on a server and a worker of its own",
        """\
It takes a few seconds, checks all that it shows, and leaves nothing behind.
""",
        _demo,
    ),
}
