"""The command `doshit demo`: the main job on a server and a worker of its own. Checks all that it shows.

What stands on the screen is what was sent: each command and each line of Python is run from the text that is printed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from doshit.cli.connection import refuse_redis
from doshit.cli.demo_node import CALL, WORDS, find
from doshit.cli.demo_stage import PATIENCE, Stage
from doshit.cli.resp import BareConnection, Reply, printed_form, typed_form, wire_form
from doshit.cli.text import many_lines, one_line
from doshit.errors import BadArguments, ConfigurationError, TaskFailed

if TYPE_CHECKING:
    from rich.console import Console

ID = "11111111-2222-2222-2222-333333333333"
MANY = 1000


def run(args: argparse.Namespace) -> int:
    refuse_redis(args)
    try:
        from rich.console import Console
    except ImportError:
        raise ConfigurationError('the demo draws with rich; get it with: pip install "doshit[server]"') from None
    source = files("doshit.cli").joinpath("demo_tasks.py").read_text()
    with Stage(source, args.prefix or "doshit") as stage, BareConnection(stage.url, PATIENCE) as redis:
        demo = Demo(Console(highlight=False, markup=False, soft_wrap=True), stage, redis)
        demo.introduce(source)
        acts = (demo.two_commands, demo.from_python, demo.a_failure, demo.a_thousand, demo.with_node, demo.the_keys)
        for act in acts:
            act()
        return demo.conclude()


class Demo:
    """The acts, in order. Each prints what it does and checks that it came out as it says."""

    def __init__(self, console: Console, stage: Stage, redis: BareConnection) -> None:
        self._console, self._stage, self._redis = console, stage, redis
        self._prefix = stage.prefix
        self._act = 0
        self._checked = 0
        self._failed: list[str] = []
        self._python: dict[str, Any] = {}

    def introduce(self, source: str) -> None:
        self._say(f"A server of its own ({self._stage.url}) and one worker that serves this file, tasks.py:\n")
        self._show(source, "python")

    def two_commands(self) -> None:
        self._title("Two plain Redis commands make a task, from any language")
        key = f"{self._prefix}:task:{ID}"
        with BareConnection(self._stage.url, PATIENCE) as listener:
            self._send("SUBSCRIBE", f"{self._prefix}:results", on=listener)
            self._send("HSET", key, "function", "echo", "state", "pending", "args", '{ "text": "ooh yeeah" }')
            push = ("LPUSH", f"{self._prefix}:default:pending", ID)
            self._send(*push)
            self._say(f"(on the wire, that last one is {wire_form(push)!r})", style="dim")
            self._say("The worker runs it, and whoever subscribed hears of the end:")
            message = self._await_message(listener, key)
            self._console.print(*printed_form(message), sep="\n", style="green")
        self._check("the message names the task", message == ["message", f"{self._prefix}:results", key])
        answer = self._send("HMGET", key, "result", "result-value")
        self._check("the result is what echo was given", answer == ["successful", '"ooh yeeah"'])

    def from_python(self) -> None:
        self._title("From Python, typed")
        self._stage.point_environment_here()
        from doshit import enqueue
        from doshit.cli import demo_tasks

        self._python = vars(demo_tasks).copy()
        self._python["enqueue"] = enqueue
        self._say(">>> from doshit import enqueue\n>>> from tasks import add, fail, square", style="bold")
        value = self._eval(f"add.enqueue(1, b=2).result(timeout={PATIENCE:g})")
        self._check("the result is 3", value == 3)
        refused = self._eval('add.enqueue(1, b="two")')
        pending = self._redis.command("LLEN", f"{self._prefix}:default:pending")
        self._check("a wrong call is an error here, and nothing was pushed", _is_bad_arguments(refused, pending))

    def a_failure(self) -> None:
        self._title("A failure, with the traceback from where it ran")
        error = self._eval(f'fail.enqueue("out of paper").result(timeout={PATIENCE:g})')
        self._check("it failed with the code `exception`", isinstance(error, TaskFailed) and error.code == "exception")
        trace = error.remote_traceback if isinstance(error, TaskFailed) else ""
        self._check(
            "its traceback names the line in tasks.py", "tasks.py" in trace and "raise ValueError(message)" in trace
        )

    def a_thousand(self) -> None:
        from rich.progress import track

        self._title(f"{MANY:,} in bulk, each of which takes 2 ms")
        handles = self._eval(f"square.enqueue_many((n,) for n in range({MANY}))", show=False)
        results = [
            handle.result(timeout=PATIENCE)
            for handle in track(handles, "running", console=self._console, update_period=0.05)
        ]
        self._check("every result is the square of its number", results == [n * n for n in range(MANY)])

    def with_node(self) -> None:
        self._title("Node.js beside Python, on one queue")
        node = find()
        if isinstance(node, str):
            self._say(f"Skipped: {node}.", style="yellow")
            return
        self._stage.start_node(node)
        self._say("A Node worker serves this file, words.mjs:\n")
        self._show(WORDS, "javascript")
        value = self._eval(f'enqueue("shout", {{"text": "ooh yeeah"}}).result(timeout={PATIENCE:g})')
        self._check("Python got what a function in Node.js returned", value == "OOH YEEAH!")
        refused = self._eval('enqueue("shout", {"text": 7})')
        self._check("a wrong call is an error here, by what the Node worker told", isinstance(refused, BadArguments))
        self._say("\nAnd from Node.js a function of tasks.py is called, by call.mjs:\n")
        self._show(CALL, "javascript")
        self._say("$ node call.mjs", style="bold")
        said = self._stage.run_node(node)
        self._say(many_lines(said.rstrip()))
        self._check("Node.js got what a function in Python returned", said == "3\n")

    def the_keys(self) -> None:
        self._title("All of it is in Redis, to be read by anybody")
        task = self._send("HGETALL", f"{self._prefix}:task:{ID}")
        fields = dict(zip(task[::2], task[1::2], strict=True)) if isinstance(task, list) else {}
        self._check("the task is finished", fields.get("state") == "finished")
        for count, pattern, kind in self._counted_keys():
            self._say(f"{count:>7,} x {kind:<6} {one_line(pattern)}")
        for name in ("pending", "executing"):
            length = self._send("LLEN", f"{self._prefix}:default:{name}")
            self._check(f"nothing is left in {name}", length == 0)

    def conclude(self) -> int:
        self._console.print()
        if self._failed:
            self._say(
                f"{len(self._failed)} of {self._checked} checks failed: {'; '.join(self._failed)}", style="bold red"
            )
            self._say(self._stage.worker_log())
            return 1
        self._say(f"All {self._checked} checks passed. Your own: doshit dev tasks.py", style="bold green")
        return 0

    def _show(self, source: str, language: str) -> None:
        from rich.syntax import Syntax

        if self._console.is_terminal:
            self._console.print(Syntax(source.strip(), language, background_color="default", padding=(0, 4)))
        else:
            self._say(source.strip())

    def _title(self, words: str) -> None:
        self._act += 1
        self._console.print()
        self._console.rule(f"{self._act}. {words}", align="left", style="cyan")

    def _say(self, words: str, style: str = "") -> None:
        self._console.print(words, style=style)

    def _check(self, promise: str, holds: bool) -> None:
        self._checked += 1
        if not holds:
            self._failed.append(promise)
        self._say(f"  {'ok' if holds else 'NOT TRUE'}: {promise}", style="green" if holds else "bold red")

    def _send(self, *words: str, on: BareConnection | None = None) -> Reply:
        """Prints a command, sends it, prints its reply."""
        self._say(f"redis-cli> {typed_form(words)}", style="bold")
        reply = (on or self._redis).command(*words)
        self._console.print(*printed_form(reply), sep="\n")
        return reply

    def _await_message(self, listener: BareConnection, key: str) -> Reply:
        message = listener.read()
        while not isinstance(message, list) or message[-1] != key:
            message = listener.read()
        return message

    def _eval(self, line: str, show: bool = True) -> Any:
        """Prints a line of Python, runs it, prints and returns its value, or the error of ours that it raised."""
        self._say(f">>> {line}", style="bold")
        try:
            # The lines are constants of this file; eval keeps what is shown and what is run the same.
            value = eval(line, self._python)
        except (BadArguments, TaskFailed) as error:
            notes: Sequence[str] = getattr(error, "__notes__", ())
            self._say(many_lines("\n".join([f"{type(error).__name__}: {error}", *notes])), style="yellow")
            return error
        if show:
            self._say(one_line(repr(value)))
        return value

    def _counted_keys(self) -> list[tuple[int, str, str]]:
        """How many keys there are of each pattern and type. The server is the demo's own, so all may be looked at."""
        keys: set[str] = set()
        cursor: Reply = "0"
        while cursor is not None:
            reply = self._redis.command("SCAN", str(cursor), "MATCH", f"{self._prefix}:*", "COUNT", "1000")
            assert isinstance(reply, list) and isinstance(reply[1], list)
            keys.update(str(key) for key in reply[1])
            cursor = reply[0] if reply[0] != "0" else None
        kinds = Counter((_pattern(key, self._prefix), str(self._redis.command("TYPE", key))) for key in keys)
        return sorted((count, pattern, kind) for (pattern, kind), count in kinds.items())


def _is_bad_arguments(value: object, pending: Reply) -> bool:
    return isinstance(value, BadArguments) and value.parameter == "b" and pending == 0


def _pattern(key: str, prefix: str) -> str:
    """The key with what is different for each task or worker left out."""
    kind = key.removeprefix(prefix + ":").partition(":")[0]
    return f"{prefix}:{kind}:*" if kind in ("task", "worker", "held", "catalog") else key
