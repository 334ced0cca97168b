"""The only room that knows a Redis client: a sync face, an async face, and the worker's non-blocking Link."""

from hiredis import ReplyError

from doshit.transport.async_face import AsyncFace, AsyncSubscription
from doshit.transport.link import Link, LinkLost
from doshit.transport.route import Route, route_to
from doshit.transport.sync_face import Subscription, SyncFace

__all__ = [
    "AsyncFace",
    "AsyncSubscription",
    "Link",
    "LinkLost",
    "ReplyError",
    "Route",
    "Subscription",
    "SyncFace",
    "route_to",
]
