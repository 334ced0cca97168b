"""Holds the proxy to its word: a test that breaks connections must know what it has broken."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from proxy import frame_end

COUNT = "return redis.call('INCR', KEYS[1])"


def client(url):
    """A client that never sends a command twice on its own."""
    return redis.Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0))


FRAMES = [b"+OK\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"*-1\r\n", b"*2\r\n$3\r\na\r\n\r\n*1\r\n:1\r\n"]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_ends_where_it_ends_and_not_before(frame):
    assert frame_end(frame + b"+next\r\n") == len(frame)
    assert [frame_end(frame[:cut]) for cut in range(len(frame))] == [None] * len(frame)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("shred", [False, True])
def test_without_faults_everything_passes(redis_url, start_proxy, shred, tcp):
    with client(start_proxy(redis_url, shred=shred, tcp=tcp).url) as plain:
        assert plain.set("key", b"\r\n" * 3000)
        assert plain.get("key") == b"\r\n" * 3000
        pipeline = plain.pipeline(transaction=True).incr("n").incr("n")
        assert pipeline.execute() == [1, 2]


def test_every_nth_script_reply_is_lost_after_the_script_has_run(redis_url, start_proxy, plain):
    proxy = start_proxy(redis_url, drop_every=3)
    seen = []
    with client(proxy.url) as behind:
        for _ in range(7):
            behind.ping()
            try:
                seen.append(behind.eval(COUNT, 1, "n"))
            except redis.ConnectionError:
                seen.append("lost")
    assert seen == [1, 2, "lost", 4, 5, "lost", 7]
    assert plain.get("n") == b"7"
    assert (proxy.script_replies, proxy.dropped) == (7, 2)


def test_a_noscript_is_not_counted_as_a_lost_reply(redis_url, start_proxy):
    proxy = start_proxy(redis_url, drop_every=1)
    with client(proxy.url) as behind, pytest.raises(redis.exceptions.NoScriptError):
        behind.evalsha("0" * 40, 0)
    assert proxy.script_replies == 0


def test_in_a_pipeline_the_replies_before_the_lost_one_arrive(redis_url, start_proxy, plain):
    proxy = start_proxy(redis_url, drop_every=2)
    with client(proxy.url) as behind:
        pipeline = behind.pipeline(transaction=False)
        for _ in range(3):
            pipeline.eval(COUNT, 1, "n")
        with pytest.raises(redis.ConnectionError):
            pipeline.execute()
    assert plain.get("n") in (b"2", b"3"), "the script of the lost reply has run; what follows it may have come through"
    assert proxy.dropped == 1


def test_messages_pass_a_subscribed_connection(redis_url, start_proxy, plain):
    with client(start_proxy(redis_url, drop_every=1).url) as behind, behind.pubsub() as listener:
        listener.subscribe("news")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        plain.publish("news", "one")
        plain.publish("news", "two")
        assert [listener.get_message(timeout=5)["data"] for _ in range(2)] == [b"one", b"two"]


def test_a_cut_ends_all_connections_and_new_ones_work(redis_url, start_proxy):
    proxy = start_proxy(redis_url)
    with client(proxy.url) as behind:
        behind.ping()
        connection = behind.connection_pool.get_connection()
        proxy.cut()
        with pytest.raises(redis.ConnectionError):
            connection.send_command("PING", check_health=False)
            connection.read_response()
        behind.connection_pool.release(connection)
        assert behind.ping()
    assert proxy.accepted == 2


def test_a_held_connection_is_silent_until_released(redis_url, start_proxy):
    proxy = start_proxy(redis_url)
    with client(f"{proxy.url}&socket_timeout=0.1") as behind:
        behind.ping()
        proxy.hold()
        with pytest.raises(redis.TimeoutError):
            behind.ping()
        proxy.release()
        assert behind.ping()
