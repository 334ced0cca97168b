"""Finds the node that serves one app: as the URL says, as its Sentinels say, or the owner of its slot in a cluster.

An app lives in one slot, so a cluster is one node at a time for it, and no client for clusters is needed. Sentinels
and nodes are asked again whenever a connection was lost or refused.
"""

from __future__ import annotations

import binascii
from typing import Any

import redis.exceptions

from doshit.errors import ConfigurationError, ServerError
from doshit.transport.address import Address, Host
from doshit.transport.connect import Unreached, check_url, pool, redact, shows_life, tagless, translate

_ASK_TIMEOUT = 2.0  # seconds for each of those that are asked: while this one is dead the next may know
_FAILED = (redis.exceptions.RedisError, OSError)
_LOGIN = (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError)
_SLOTS = 16384


def slot_of(prefix: str) -> int | None:
    """The slot of every key of an app; None for a prefix without a {tag}, whose keys lie in many."""
    tag = prefix.partition("{")[2].partition("}")[0]
    return binascii.crc_hqx(tag.encode(), 0) % _SLOTS if tag else None


def route_to(url: str, prefix: str | None = None) -> Route:
    """The way to an app. prefix: None where it is not known; a cluster is then followed from its first MOVED on.

    Raises ConfigurationError for a URL that cannot be read, and for redis+cluster:// with a prefix without a {tag}.
    """
    address = check_url(url)
    if address.kind == "sentinel":
        return Sentinels(address)
    slot = None if prefix is None else slot_of(prefix)
    if prefix is not None and slot is None:
        if address.kind == "cluster":
            raise ConfigurationError(tagless(prefix))
        return Route(address)
    return Slot(address, slot) if address.hosts else Route(address)


class Route:
    """One server, where the URL says.

    asks: whether find() asks others now, and so takes time; moves: whether another node may take over.
    answered: after a try to connect has failed, whether something of the server's host answered all the same.
    """

    asks = moves = False

    def __init__(self, address: Address) -> None:
        self.url, self._address = address.url, address
        self._hosts = list(address.hosts)
        self.answered = False

    def find(self) -> str:
        """The URL of the node to connect to now. Raises a ServerError when nobody knows."""
        return self.url

    def follow(self, error: BaseException) -> bool:
        """Learns from an error of a connection where to look next; False: it would be the same there."""
        self.answered = shows_life(error)
        return not isinstance(error, (redis.exceptions.AskError, redis.exceptions.ClusterDownError))

    def _next_first(self) -> None:
        """Another is asked first from now on: this one may be dead, or behind the others."""
        self._hosts = [*self._hosts[1:], *self._hosts[:1]]

    def _no_answer(self, why: Exception) -> Exception:
        return why if isinstance(why, ServerError) else translate(why, self.url)


class Sentinels(Route):
    """The primary that the Sentinels name at this moment, if it says so itself."""

    asks = moves = True

    def find(self) -> str:
        why: Exception = redis.exceptions.ConnectionError("no Sentinel is named")
        tried: set[str] = set()
        self.answered = False
        for host in self._hosts:
            try:
                node = self._named_by(host)
                if node not in tried:
                    tried.add(node)
                    self._approve(node)
                    return node
            except (*_FAILED, ServerError) as error:
                why = error
            self._next_first()
        raise self._no_answer(why) from None

    def _named_by(self, host: Host) -> str:
        service = self._address.service
        try:
            said = _ask(self._address.sentinel(host), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        except _LOGIN:
            raise ServerError(
                f"a Sentinel of {redact(self.url)} refused the login; its own goes into the URL as "
                "?sentinel_password=..., with sentinel_username=... if it has users"
            ) from None
        if said is None:
            raise Unreached(
                f"the Sentinels of {redact(self.url)} know no primary named {service!r}; "
                "its name stands before the database: redis+sentinel://host:26379/name/0"
            )
        return self._address.node((said[0].decode(), int(said[1])))

    def _approve(self, node: str) -> None:
        # For a moment after a failover a Sentinel may still name the old one, which may be there again as a replica.
        try:
            role = _ask(node, "ROLE")
        except redis.exceptions.NoPermissionError:
            return
        except _FAILED as error:
            self.answered |= shows_life(error)
            raise
        if role[0] != b"master":
            raise redis.exceptions.ReadOnlyError("the Sentinels name it as the primary, and it is none")


# The nodes that anybody in this process was told of, by URL. The one that a URL names may die before each connection of
# a worker was made once; the others still find their way then.
_told: dict[str, list[Host]] = {}


class Slot(Route):
    """The owner of one slot of a cluster. A plain URL may name a node of one too, which is found out by asking."""

    def __init__(self, address: Address, slot: int | None) -> None:
        super().__init__(address)
        self._slot, self._owner = slot, ""
        self._blind = False  # the nodes may not be asked, or there is one only
        self.moves = address.kind == "cluster"

    @property
    def asks(self) -> bool:  # type: ignore[override]
        return not self._owner and not self._blind and self._slot is not None

    def find(self) -> str:
        if self._owner:
            return self._owner
        if not self.asks:
            return self._address.node(self._hosts[0])
        why: Exception = redis.exceptions.ClusterDownError("no node knows who serves the slot of this app")
        for host in dict.fromkeys([*self._hosts, *_told.get(self.url, ())]):
            try:
                if self._learn(_ask(self._address.node(host), "CLUSTER", "SLOTS"), host):
                    return self._owner
            except redis.exceptions.ResponseError:
                self._blind = True
                return self._address.node(host)
            except _FAILED as error:
                if isinstance(error, _LOGIN):
                    raise translate(error, self.url) from None
                self.answered, why = shows_life(error), error
            self._next_first()
        raise self._no_answer(why) from None

    def _learn(self, ranges: list[Any], asked: Host) -> bool:
        """Takes over what one node says of all. Does it know the owner?"""
        self.moves = True
        known = list(self._hosts)
        for first, last, *nodes in ranges:
            # A node that does not know its own name means the one that was asked for.
            hosts = [((node[0] or b"").decode() or asked[0], int(node[1])) for node in nodes]
            known += hosts
            if first <= self._slot <= last:
                self._owner = self._address.node(hosts[0])
        self._hosts = _told[self.url] = list(dict.fromkeys(known))
        return bool(self._owner)

    def follow(self, error: BaseException) -> bool:
        self.answered = shows_life(error)
        if isinstance(error, redis.exceptions.MovedError):
            self.moves, self._slot, self._blind = True, error.slot_id, False
            self._owner = "" if error.host in ("", "?") else self._address.node((error.host, error.port))
        elif not isinstance(error, (redis.exceptions.AskError, redis.exceptions.TryAgainError)):
            self._owner = ""
            self._next_first()
        return True


def _ask(url: str, *command: str) -> Any:
    connection = pool(url, socket_connect_timeout=_ASK_TIMEOUT, socket_timeout=_ASK_TIMEOUT).make_connection()
    try:
        connection.connect()
        connection.send_command(*command)
        return connection.read_response()
    finally:
        connection.disconnect()
