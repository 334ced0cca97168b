"""What the command line promises before it does anything: help, exit codes, errors of one line."""

import subprocess
import sys

import pytest

COMMANDS = [
    "worker", "submit", "show", "cancel", "failed", "status", "doctor", "functions", "types", "server", "dev", "demo",
]  # fmt: skip
SLOW_TO_IMPORT = {"redis", "hiredis", "msgspec", "asyncio", "rich", "pydantic", "ssl", "socket", "subprocess"}


def test_the_help_names_every_command(doshit):
    said = doshit("--help")
    assert said.returncode == 0
    listed = said.stdout.partition("commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert all(len(line.split()) > 2 for line in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_the_connection_and_its_defaults(doshit, command):
    said = doshit(command, "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert "--redis URL" in said.stdout
    assert "--prefix" in said.stdout
    told = "refused: this starts" if command in ("server", "demo") else "DOSHIT_REDIS, else REDIS_URL, else"
    assert told in " ".join(said.stdout.split())


def test_an_argument_that_may_be_left_out_is_not_called_required(doshit):
    assert "the following arguments are required: FUNCTION;" in doshit("submit").stderr


def test_the_help_imports_nothing_that_takes_long():
    script = (
        "import sys, atexit\n"
        "from doshit.cli.main import main\n"
        "atexit.register(lambda: print('LOADED', *sys.modules))\n"
        "main(['--help'])\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(said.stdout.partition("LOADED")[2].split())
    assert loaded
    assert not loaded & SLOW_TO_IMPORT


INTERRUPTED_AT = """
import signal, sys
from importlib.metadata import entry_points

module, sys.argv[1:] = sys.argv[1], ["status"]

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Impatient())
(script,) = entry_points(group="console_scripts", name="doshit")
sys.exit(script.load()())
"""


@pytest.mark.parametrize("module", ["doshit", "doshit.client.app", "doshit.cli.parser", "doshit.cli.status"])
def test_ctrl_c_while_it_is_imported_is_quiet(module):
    said = subprocess.run([sys.executable, "-c", INTERRUPTED_AT, module], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (130, "", "")


def test_the_version_is_told(doshit):
    said = doshit("--version")
    assert said.returncode == 0
    assert said.stdout.startswith("doshit ")


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("sumbit",), "'sumbit'"),
        (("submit",), "FUNCTION"),
        (("submit", "add", "hello"), "write name=value"),
        (("submit", "add", "--wait", "b=2"), "put --wait last"),
        (("submit", "add", "--wait=-1"), "number of seconds"),
        (("submit", "add", "--nonsense"), "--nonsense"),
        (("worker", "tasks.py", "-c", "0"), "'0' is not a whole number"),
        (("worker", "tasks.py", "--time-limit", "0"), "0.001 or more"),
        (("worker", "tasks.py", "--memory-limit", "much"), "'much' is no size"),
        (("worker", "tasks.py", "--memory-limit", "0"), "leaves a run no memory"),
        (("worker", "tasks.py", "--async-slots", "0"), "'0' is not a whole number"),
        (("cancel",), "one of the three"),
        (("cancel", "one", "-q", "mail"), "one of the three"),
        (("cancel", "-q", "mail", "--function", "send"), "one of the three"),
        (("failed", "frobnicate"), "'frobnicate'"),
        (("failed", "list", "one"), "doshit show ID"),
        (("failed", "--all"), "no --all"),
        (("failed", "retry"), "either IDs or --all"),
        (("failed", "drop", "one", "--all"), "either IDs or --all"),
        (("failed", "retry", "one", "-q", "mail"), "it narrows --all"),
        (("failed", "drop", "--all", "--limit", "3"), "--limit"),
        (("worker", "tasks.py", "--result-ttl", "soon"), "'soon' is not a whole number of seconds"),
        (("worker", "tasks.py", "--log-format", "xml"), "xml"),
        (("status", "--any"), "--any"),
        (("status", "-q", "mail"), "--check"),
        (("status", "--check", "--json"), "--json"),
        (("server", "--port", "70000"), "70000"),
        (("server", "--redis", "redis://localhost"), "starts a server of its own"),
        (("demo", "--redis", "redis://localhost"), "starts a server of its own"),
    ],
)
def test_a_command_line_that_cannot_be_meant_ends_with_2_and_says_what_is_wrong(doshit, args, named):
    said = doshit(*args)
    assert (said.returncode, said.stdout) == (2, "")
    assert named in said.stderr
    command = f"doshit {args[0]}" if args[0] in COMMANDS else "doshit"
    assert said.stderr.startswith(f"{command}: ")
    assert said.stderr.endswith(f"; see {command} --help\n")
    assert said.stderr.count("\n") == 1


def test_no_command_at_all_shows_the_help_and_ends_with_2(doshit):
    said = doshit()
    assert (said.returncode, said.stderr) == (2, "")
    assert said.stdout == doshit("--help").stdout


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("status", "--redis", "redis://127.0.0.1:1/0"), "no Redis answers at redis://127.0.0.1:1/0"),
        (("status", "--redis", "redis://:secret@127.0.0.1:1/0"), "doshit server"),
        (("status", "--redis", "somewhere"), "redis://host:6379/0"),
        (("status", "--prefix", "a b"), "prefix 'a b'"),
        (("submit", "add", "-q", "task"), "choose another name"),
        (("submit", "add", "--id", "x" * 256), "255"),
        (("worker", "tasks.py", "-q", "a/b"), "queue name 'a/b'"),
        (("cancel", "-q", "a/b"), "queue name 'a/b'"),
        (("show", "nothing-like-it", "--follow"), "nothing-like-it is not in Redis"),
        (("show", "nothing-like-it"), "nothing-like-it is not in Redis"),
    ],
)
def test_an_error_is_one_line_with_the_next_step_and_ends_with_1(doshit, args, named):
    said = doshit(*args)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("doshit: ")
    assert said.stderr.count("\n") == 1
    assert named in said.stderr
    assert "secret" not in said.stderr


def test_a_reader_that_goes_away_is_no_error_worth_a_traceback(doshit, start_doshit):
    process = start_doshit("status", "--json")
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == ""
