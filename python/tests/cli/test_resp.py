"""The demo's bare connection prints what redis-cli would."""

import pytest

from doshit.cli.resp import BareConnection, printed_form, typed_form, wire_form
from doshit.errors import ServerError


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (3, ["(integer) 3"]),
        (None, ["(nil)"]),
        ('say "hi"\x1b', ['"say \\"hi\\"\\x1b"']),
        ([], ["(empty array)"]),
        (["a", None, 2], ['1) "a"', "2) (nil)", "3) (integer) 2"]),
        (["0", ["a", "b"]], ['1) "0"', '2) 1) "a"', '   2) "b"']),
    ],
)
def test_replies_are_printed_as_redis_cli_prints_them(reply, lines):
    assert list(printed_form(reply)) == lines


def test_a_command_is_the_count_of_its_words_then_each_with_its_length_in_bytes():
    assert wire_form(("LPUSH", "k", "zoë")) == b"*3\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$4\r\nzo\xc3\xab\r\n"
    assert typed_form(("HSET", "k", '{ "a": 1 }')) == """HSET k '{ "a": 1 }'"""


def test_it_speaks_to_a_server(redis_url):
    with BareConnection(redis_url, 20) as connection:
        assert connection.command("HSET", "k", "f", "v") == 1
        assert connection.command("HGETALL", "k") == ["f", "v"]
        assert connection.command("GET", "absent") is None
        with pytest.raises(ServerError, match="WRONGTYPE"):
            connection.command("GET", "k")


def test_it_logs_in_where_the_url_has_a_password(start_server):
    with BareConnection(start_server(tcp=True).url, 20) as connection:
        assert connection.command("PING") == "PONG"
