"""Reads a URL: one server, Sentinels, or nodes of a cluster. Connects to nothing.

The forms with several hosts are those that others already read: `redis+sentinel://` as redis-sentinel-url and docket
have it, `redis+cluster://` as limits has it. redis-py itself knows neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

Host = tuple[str, int]
_PARTS = re.compile(r"(?P<members>[^/?#]*)(?P<path>/[^?#]*)?(\?(?P<query>[^#]*))?", re.DOTALL)
_PORTS = {"sentinel": 26379, "cluster": 6379, "server": 6379}


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. hosts: none for a unix socket; login: as it stands in the URL, with its `@`, or ""."""

    url: str
    kind: Literal["server", "sentinel", "cluster"]
    scheme: str
    hosts: tuple[Host, ...] = ()
    login: str = ""
    service: str = ""
    path: str = ""
    query: str = ""

    def node(self, host: Host) -> str:
        """The URL of one node that keeps data. The login, database and options are those of this one."""
        return _url(self.scheme, self.login, host, self.path, _without_sentinels(self.query))

    def sentinel(self, host: Host) -> str:
        """The URL of one Sentinel: TLS as for the nodes, but a login of its own."""
        given = dict(part.partition("=")[::2] for part in self.query.split("&"))
        user, password = given.get("sentinel_username", ""), given.get("sentinel_password", "")
        login = f"{user}:{password}@" if user or password else ""
        options = "&".join(part for part in self.query.split("&") if part.startswith("ssl_"))
        return _url(self.scheme, login, host, "/0", options)


def read(url: str) -> Address:
    """Raises ValueError, which quotes nothing of the URL: any part of a broken one may belong to a password."""
    scheme, _, rest = url.partition("://")
    base, plus, topology = scheme.lower().partition("+")
    if base == "unix" and not plus:
        return Address(url, "server", base)
    if base not in ("redis", "rediss") or (plus and topology not in ("sentinel", "cluster")):
        raise ValueError("its scheme is not known")
    parts = _PARTS.match(rest)
    assert parts is not None
    login, at, members = parts["members"].rpartition("@")
    if "@" in rest[parts.end("members") :].partition("?")[0]:
        raise ValueError("a special character of its password must be written as %XX")
    kind: Literal["server", "sentinel", "cluster"] = (
        "sentinel" if topology == "sentinel" else "cluster" if topology else "server"
    )
    hosts = tuple(_host(member, _PORTS[kind]) for member in members.split(","))
    if kind == "server" and len(hosts) > 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    path, service = parts["path"] or "", ""
    if kind == "sentinel":
        service, path = _service(path)
    elif not re.fullmatch(r"/?\d*", path):
        raise ValueError("behind the host stands no number of a database")
    return Address(url, kind, base, hosts, login + at, service, path, parts["query"] or "")


def _host(member: str, port: int) -> Host:
    match = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d{1,5}))?", member)
    if match is None:
        raise ValueError("a host and its port cannot be read; write host:port, and characters of a password as %XX")
    return match["six"] or unquote(match["name"]) or "localhost", int(match["port"] or port)


def _service(path: str) -> tuple[str, str]:
    """The name that the Sentinels know the primary by, and the path of the database."""
    name, _, database = path.strip("/").partition("/")
    if name.isdecimal() and not database:
        raise ValueError("the name of the service comes before the database: redis+sentinel://host:26379/mymaster/0")
    return unquote(name) or "mymaster", f"/{database or 0}"


def _url(scheme: str, login: str, host: Host, path: str, query: str) -> str:
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    return f"{scheme}://{login}{name}:{host[1]}{path}" + (f"?{query}" if query else "")


def _without_sentinels(query: str) -> str:
    return "&".join(part for part in query.split("&") if not part.startswith("sentinel_"))
