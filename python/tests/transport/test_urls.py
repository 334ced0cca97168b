"""URLs: what can be read, and that no secret of one is ever shown."""

import pytest

from doshit.errors import ConfigurationError, ServerUnavailable
from doshit.transport import SyncFace, route_to
from doshit.transport.address import read
from doshit.transport.connect import redact, translate
from worker.workers import until

SECRETS = ("p@ss/w?rd#1", "p%40ss%2Fw%3Frd%231")


@pytest.mark.parametrize(
    ("url", "hosts", "node"),
    [
        ("redis://h/3", (("h", 6379),), "redis://h:6379/3"),
        ("rediss://u:p@[::1]:7/0?ssl_ca_certs=/c", (("::1", 7),), "rediss://u:p@[::1]:7/0?ssl_ca_certs=/c"),
        ("redis+sentinel://:p@a,b:1/jobs/2?sentinel_password=s", (("a", 26379), ("b", 1)), "redis://:p@a:26379/2"),
        ("redis+sentinel://a", (("a", 26379),), "redis://a:26379/0"),
        ("redis+cluster://u:p@a:1,[::2]", (("a", 1), ("::2", 6379)), "redis://u:p@a:1"),
    ],
)
def test_a_url_names_hosts_and_what_each_node_is_called(url, hosts, node):
    address = read(url)
    assert (address.hosts, address.node(address.hosts[0])) == (hosts, node)


def test_a_sentinel_has_the_tls_of_the_nodes_and_a_login_of_its_own():
    address = read("rediss+sentinel://u:p@a/jobs?ssl_ca_certs=/c&sentinel_username=v&sentinel_password=s&timeout=1")
    assert (address.service, address.sentinel(("a", 1))) == ("jobs", "rediss://v:s@a:1/0?ssl_ca_certs=/c")


@pytest.mark.parametrize(
    "url",
    ["http://h", "h:6379", "redis://a,b", "redis://h:port", "redis+sentinel://a/0", "redis://h?no_such_option=1",
     "unix+sentinel://a", "redis://:p/w@h"],
)  # fmt: skip
def test_a_url_that_cannot_be_read_is_refused_with_the_forms_there_are(url):
    with pytest.raises(ConfigurationError, match=r"is no Redis URL \(.+\); write redis://host:6379/0") as told:
        route_to(url)
    assert "p/w" not in str(told.value)


@pytest.mark.parametrize("option", ["pasword=secret", "db=secret", "auth=secret"])
def test_a_url_that_cannot_be_read_shows_no_value_of_its_options(option):
    with pytest.raises(ConfigurationError, match=option.replace("secret", r"\*\*\*")) as told:
        route_to(f"redis://host/0?timeout=1&{option}")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:{}@127.0.0.1:1/0",
        "redis://:{}@127.0.0.1:1",
        "rediss://user:{}@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?password={}",
        "redis+sentinel://user:{}@127.0.0.1:1/jobs",
        "redis+sentinel://127.0.0.1:1/jobs?sentinel_password={}",
        "redis+cluster://user:{}@127.0.0.1:1",
        "unix://user:{}@/no/such/socket",
        "redis://user:{}@127.0.0.1:none/0",
        "http://user:{}@host",
    ],
)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_password_is_never_shown(url, secret, monkeypatch):
    monkeypatch.setattr("doshit.transport.tries._PATIENCE", 0.0)
    url = url.format(secret)
    with pytest.raises((ConfigurationError, ServerUnavailable)) as told:
        SyncFace(url, "{jobs}").command("PING")
    said = f"{told.value} {redact(url)} {translate(ValueError(f'at {url}'), url)}"
    for piece in ("p@ss", "p%40ss", "w?rd", "w%3Frd", "rd#1", "rd%231"):
        assert piece not in said


def test_a_worker_that_loses_its_server_logs_no_password(start_node, start_worker):
    node = start_node("requirepass p%40:x", password="p%40:x")
    worker = start_worker(f"redis://default:p%2540%3Ax@{node.host}/0", "doshit", verbose=True)
    until(lambda: " serves " in worker.log(), what="the worker runs")
    node.kill()
    until(lambda: "no Redis answers" in worker.log(), what="the worker has tried to connect again")
    assert "default:***@" in worker.log()
    for form in ("p%40:x", "p%2540%3Ax", "p@:x"):
        assert form not in worker.log()


def test_what_is_no_secret_stays_readable():
    assert redact("redis://user:x@host:6379/0?a=b") == "redis://user:***@host:6379/0?a=b"
    assert redact("unix:///run/redis.sock?db=0&password=x") == "unix:///run/redis.sock?db=0&password=***"
    assert redact("redis+sentinel://a,b/jobs/0") == "redis+sentinel://a,b/jobs/0"
