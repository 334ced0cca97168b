"""Reads the vectors of protocol/conformance and turns their texts into what Redis holds. Runs none of them."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import redis

ROOT = Path(__file__).parents[3] / "protocol" / "conformance"
Client: TypeAlias = "redis.Redis"
Case = dict[str, Any]
# A life in the vectors is an hour or more; this is what a slow machine may have taken off it when it is read.
TTL_SLACK_MS = 120_000


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return found


def cases(folder: str) -> dict[str, Case]:
    """Every case of a folder by file and name, with `worlds` and `defaults` of its file beside it."""
    found: dict[str, Case] = {}
    for path in sorted((ROOT / folder).glob("*.json")):
        shared = read(f"{folder}/{path.name}")
        for case in shared.pop("cases"):
            name = f"{path.stem}: {case['name']}"
            assert name not in found, f"two cases are named {name!r}"
            found[name] = {**shared, **case}
    return found


def to_bytes(text: Any) -> bytes:
    """What a text or number of a vector is in Redis: "hex:ff" are the bytes of that hexadecimal."""
    text = str(text)
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def to_args(text: Any) -> bytes:
    """The same, and what is too long to write out: {"repeat": [text, times]} and {"join": parts}."""
    if not isinstance(text, dict):
        return to_bytes(text)
    if "repeat" in text:
        part, times = text["repeat"]
        return to_bytes(part) * int(times)
    return b"".join(to_args(part) for part in text["join"])


def entry_bytes(case: Case) -> bytes:
    """The text of an entry of a catalog: an object, or any form of bytes."""
    entry = case["entry"]
    is_object = isinstance(entry, dict) and "join" not in entry
    return json.dumps(entry).encode() if is_object else to_args(entry)


def to_raw(value: Any) -> Any:
    """to_bytes for a whole reply: lists stay lists, numbers and null stay themselves."""
    if isinstance(value, list):
        return [to_raw(item) for item in value]
    return to_bytes(value) if isinstance(value, str) else value


def to_pairs(value: Any) -> dict[bytes, Any]:
    """A hash or sorted set of a vector: an object, or a list of pairs where a name is not text."""
    return {to_bytes(name): item for name, item in (value.items() if isinstance(value, dict) else value)}


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "hash":
            return {name: to_bytes(item) for name, item in to_pairs(value).items()}
        case "zset":
            return {name: float(score) for name, score in to_pairs(value).items()}
        case "set":
            return {to_bytes(item) for item in value}
        case "list":
            return [to_bytes(item) for item in value]
        case "stream":
            return [(to_bytes(id), [to_bytes(item) for item in flat]) for id, flat in value]
    return to_bytes(value)


def seed(client: Client, world: Case) -> None:
    """Writes the keys of a world into an empty server."""
    for name, entry in world.items():
        key, value = to_bytes(name), _value(entry["type"], entry["value"])
        match entry["type"]:
            case "hash":
                client.hset(key, mapping=value)
            case "zset":
                client.zadd(key, value)
            case "set":
                client.sadd(key, *value)
            case "list":
                client.rpush(key, *value)
            case "stream":
                for id, flat in value:
                    raw(client, "XADD", key, id, *flat)
            case _:
                client.set(key, value)
        if "ttl" in entry:
            client.expire(key, entry["ttl"])


def raw(client: Client, *words: Any) -> Any:
    """The reply as the server sent it: redis-py would make dicts, sets and booleans of some."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*words)
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


def _read(client: Client, key: bytes, kind: str) -> Any:
    match kind:
        case "hash":
            return client.hgetall(key)
        case "zset":
            return dict(client.zscan_iter(key))
        case "set":
            return set(client.smembers(key))
        case "list":
            return client.lrange(key, 0, -1)
        case "stream":
            return [(id, flat) for id, flat in raw(client, "XRANGE", key, "-", "+")]
    return client.get(key)


def assert_world(client: Client, wanted: Case) -> None:
    """The server holds exactly these keys: no other, each with this value and life."""
    expected = {to_bytes(name): entry for name, entry in wanted.items() if entry is not None}
    assert set(client.keys()) == set(expected)
    for key, entry in expected.items():
        assert client.type(key) == entry["type"].encode(), key
        there = _read(client, key, entry["type"])
        if "size" in entry:
            assert len(there) == entry["size"], key
        else:
            assert (key, there) == (key, _value(entry["type"], entry["value"]))
        _assert_life(client.pttl(key), entry.get("ttl"), key)


def _assert_life(left_ms: int, seconds: int | None, key: bytes) -> None:
    if seconds is None:
        assert left_ms == -1, f"{key!r} has a life of {left_ms} ms; none was expected"
    else:
        assert seconds * 1000 - TTL_SLACK_MS < left_ms <= seconds * 1000, key
