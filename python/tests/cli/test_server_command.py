"""`doshit server`: prints the URL, holds the server open, stops it cleanly."""

import signal
import socket

import pytest
import redis

from servers import private_folder


@pytest.fixture
def folder():
    with private_folder() as folder:
        yield str(folder)


def first_line(process):
    return process.stdout.readline().rstrip("\n")


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_url_that_works_until_it_is_stopped(start_doshit, folder, signal_number):
    process = start_doshit("server", XDG_DATA_HOME=folder)
    url = first_line(process)
    with redis.Redis.from_url(url) as client:
        assert client.ping()
    process.send_signal(signal_number)
    _, err = process.communicate()
    assert process.returncode == 0
    assert url in err
    assert "Traceback" not in err
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url, retry=None).ping()


def test_a_port_asks_for_the_password_that_is_in_the_url(start_doshit, folder):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = first_line(start_doshit("server", "--port", str(port), XDG_DATA_HOME=folder))
    assert url.endswith(f"@127.0.0.1:{port}/0")
    with redis.Redis.from_url(url) as client:
        assert client.ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()


def test_a_second_one_names_the_first_and_leaves_it_alone(start_doshit, folder):
    url = first_line(start_doshit("server", XDG_DATA_HOME=folder))
    second = start_doshit("server", XDG_DATA_HOME=folder)
    out, err = second.communicate()
    assert (second.returncode, out) == (0, url + "\n")
    assert "ran already" in err
    with redis.Redis.from_url(url) as client:
        assert client.ping()


def test_a_server_that_is_killed_ends_the_command_with_an_error(start_doshit, folder):
    process = start_doshit("server", XDG_DATA_HOME=folder)
    with redis.Redis.from_url(first_line(process)) as client:
        client.shutdown(nosave=True)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "the server ended" in err
