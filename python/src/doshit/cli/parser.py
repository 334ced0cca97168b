"""The commands and their options, and how a command line is read. Imports nothing that takes long."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from doshit.values.sizes import size_of
from doshit.values.states import ARGS_CAP, OUTPUT_CAP, REASON_CAP, RESULT_CAP, RESULT_TTL, TRACEBACK_CAP

UNKNOWN_GRACE = 30.0
STOP_GRACE = 8.0
ASYNC_SLOTS = 100

_USAGE = "doshit [-h] [--version] COMMAND ..."
_TOP = """\
commands:
{commands}

examples:
  doshit dev tasks.py                       a server and a worker on this machine, nothing else needed
  doshit worker tasks.py -q urgent -q bulk  a worker; `urgent` is served before `bulk`
  doshit submit add a=1 b=2 --wait          make a task and print its result
  doshit status                             the queues and the workers

Every command tells more: doshit worker --help
"""

_LIMITS = "They win over what a task or its decorator asks for."
_TARGET = "a file of tasks (tasks.py), a module (shop.tasks), or module:app where a module has several apps"


class UsageError(Exception):
    """A command line that can be parsed and still cannot be meant: exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser with the settings all commands share: no abbreviated options, text laid out as it is written."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Ends with one line. The usage, up to nine lines of it, would stand between the reader and what is wrong."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


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
    # argparse would list the commands in a column too narrow for the longest of them.
    listed = "\n".join(f"  {name:<10} {line}" for name, (line, _, _) in _COMMANDS.items())
    about = "A job queue on Redis whose schema is its API."
    top = Parser(prog="doshit", usage=_USAGE, description=about, epilog=_TOP.format(commands=listed))
    top.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    choices = top.add_subparsers(
        prog="doshit", metavar="COMMAND", required=True, parser_class=Parser, help=argparse.SUPPRESS
    )
    commands = {}
    for name, (line, epilog, add_options) in _COMMANDS.items():
        parser = choices.add_parser(name, description=f"{line[0].upper()}{line[1:]}.", epilog=epilog)
        add_options(parser)
        _add_connection(parser, starts_server=name in ("server", "demo"))
        commands[name] = parser
    return top, commands


def _add_connection(parser: Parser, starts_server: bool) -> None:
    group = parser.add_argument_group("which server and which app")
    url = (
        "redis://, rediss:// or unix:// (default: DOSHIT_REDIS, else REDIS_URL, else redis://localhost:6379/0); other "
        "users of this machine see a password that stands here, so put it into DOSHIT_REDIS"
    )
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
_LIMIT = _number(float, 0.001, "a number of seconds")


def _size(text: str) -> int:
    try:
        return size_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _memory(text: str) -> int:
    return _size(text) or _refuse(f"{text!r} leaves a run no memory; give more, or leave the option out")


def _refuse(why: str) -> int:
    raise argparse.ArgumentTypeError(why)


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
    add("target", metavar="TARGET", nargs="+", help=_TARGET)
    add(
        "-q",
        "--queue",
        dest="queues",
        metavar="NAME",
        action="append",
        help="a queue to serve; several are served in the order given (default: the app's)",
    )
    add("-c", "--concurrency", metavar="N", type=_COUNT, help="processes that run tasks (default: the number of CPUs)")
    add("--burst", action="store_true", help="end once the queues are empty; what is due later stays")
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
    _add_limits(parser)


def _add_limits(parser: Parser) -> None:
    group = parser.add_argument_group("limits of this worker; a SIZE is in bytes, or like 64KiB, 200MB", _LIMITS)
    add = group.add_argument
    add("--time-limit", metavar="S", type=_LIMIT, help="no run takes longer, whatever its task says (default: no cap)")
    add("--memory-limit", metavar="SIZE", type=_memory, help="no run adds more memory (default: no cap)")
    add(
        "--output-cap",
        metavar="SIZE",
        type=_size,
        default=OUTPUT_CAP,
        help="what is kept of the output of a task; 0: nothing is captured (default: 64KiB)",
    )
    add("--args-cap", metavar="SIZE", type=_size, default=ARGS_CAP, help="the largest arguments (default: 1MiB)")
    add("--result-cap", metavar="SIZE", type=_size, default=RESULT_CAP, help="the largest result (default: 1MiB)")
    add("--reason-cap", metavar="SIZE", type=_size, default=REASON_CAP, help="of an error-reason (default: 4KiB)")
    add("--traceback-cap", metavar="SIZE", type=_size, default=TRACEBACK_CAP, help="of a traceback (default: 64KiB)")
    add(
        "--grace",
        metavar="S",
        type=_SECONDS,
        default=STOP_GRACE,
        help="seconds that runs get to end when the worker stops (default: %(default)g)",
    )
    add("--recycle-runs", metavar="N", type=_COUNT, help="replace a process after so many runs (default: never)")
    add(
        "--async-slots",
        metavar="N",
        type=_COUNT,
        default=ASYNC_SLOTS,
        help="`async def` runs that one process has at once (default: %(default)s)",
    )


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
    add("arguments", metavar="name=value", nargs="*", default=[], help="an argument: JSON where it parses, else text")
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
    add = parser.add_argument
    add("id", metavar="ID", help="the task's id")
    add("-f", "--follow", action="store_true", help="print its output and progress as they come, until its end")
    add("--json", action="store_true", help="print the task's fields as one JSON object")


def _cancel(parser: Parser) -> None:
    add = parser.add_argument
    add("ids", metavar="ID", nargs="*", default=[], help="the id of a task")
    add("-q", "--queue", metavar="Q", help="all that waits in this queue")
    add("--function", metavar="F", help="all that waits for this function, in every queue")
    add("--json", action="store_true", help="print JSON")


def _failed(parser: Parser) -> None:
    add = parser.add_argument
    add("action", nargs="?", choices=["list", "retry", "drop"], default="list", help="what to do (default: list)")
    add("ids", metavar="ID", nargs="*", default=[], help="the id of a failed task, for retry and drop")
    add("--all", action="store_true", help="with retry or drop: all failed tasks, as narrowed by the next three")
    add("-q", "--queue", metavar="Q", help="only of this queue")
    add("--function", metavar="F", help="only of this function")
    add("--code", metavar="C", help="only with this error code, such as exception or time-limit")
    add("--limit", metavar="N", type=_COUNT, help="list at most so many (default: 50)")
    add("--json", action="store_true", help="print JSON")


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


def _doctor(parser: Parser) -> None:
    add = parser.add_argument
    add("--fix", action="store_true", help="do what is safe about what is found, and say what was done")
    add("--deep", action="store_true", help="look at every key, however many there are")
    add("--json", action="store_true", help="print one JSON object")


def _functions(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, with the schemas and all workers")


def _types(parser: Parser) -> None:
    add = parser.add_argument
    add("--ts", metavar="OUT.d.ts", help="write an interface for `new Doshit<Functions>(...)` of the Node client")
    add("--py", metavar="OUT.py", help="write a module with a class Remote; OUT.pyi: without bodies")
    add("--from", dest="target", metavar="TARGET", help=f"read {_TARGET}, in place of the live workers")
    add("--force", action="store_true", help="write over a file that was not written by this command")


def _server(parser: Parser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        help="listen on this port of the loopback address, with a password (default: a unix socket)",
    )


def _dev(parser: Parser) -> None:
    add = parser.add_argument
    add("target", metavar="TARGET", nargs="+", help=_TARGET)
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
  doshit show order-7 --follow                what it prints and how far it is, until its end

With --follow, exit code 0 means that the task was successful. With --json too, each line is one JSON object, and the
last one is the task. Times are UTC.
""",
        _show,
    ),
    "cancel": (
        "cancel tasks, a queue or a function",
        """\
examples:
  doshit cancel order-7 order-8               before they run, or while they do
  doshit cancel -q mail                       what waits in `mail` now; what comes later runs
  doshit cancel --function send_letter

A run that is cancelled has TaskCancelled raised inside it, and is killed soon after. A queue or a function costs the
same whatever waits there: its tasks end as cancelled when a worker comes to them.
""",
        _cancel,
    ),
    "failed": (
        "list failed tasks, run them again, or forget them",
        """\
examples:
  doshit failed                               the newest 50
  doshit failed -q mail --code time-limit     some of them
  doshit failed retry order-7                 run it again as if it were new
  doshit failed retry --all --function send_letter
  doshit failed drop --all -q mail
""",
        _failed,
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
    "doctor": (
        "look for what is wrong: server settings, lost tasks, queues nobody serves",
        """\
examples:
  doshit doctor                               what is wrong, where, and what helps; nothing is written
  doshit doctor --fix                         do what is safe, then look again
  doshit doctor --deep --json                 look at every key; for a program

Exit code 0: nothing found, or advice only. 1: errors or warnings. docs/doctor.md lists all findings.
""",
        _doctor,
    ),
    "functions": (
        "list the functions that live workers serve",
        """\
examples:
  doshit functions                            their queues, languages, parameters and workers
  doshit functions --json                     with their JSON Schemas

Where live workers disagree on what a function takes or returns, each form has its line, and a warning says so.
""",
        _functions,
    ),
    "types": (
        "write a typed client from what live workers serve, or from a module",
        """\
examples:
  doshit types --ts functions.d.ts            then: new Doshit<Functions>(...), and tsc checks each call
  doshit types --py remote.py                 then: Remote(app).add(a=1, b=2), and mypy does
  doshit types --py remote.py --from tasks.py no worker is asked; the module is imported here

A file that was not written by this command is left alone.
""",
        _types,
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
