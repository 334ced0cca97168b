"""A few connections that threads share, each used by one command at a time. Knows no command.

For the two round trips that everything waits for, submit and the read of a result: half the time of such a trip through
redis-py is redis-py (measured: 67 against 97 microseconds over a unix socket).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import sleep
from typing import Any

import hiredis
import redis.exceptions

from doshit.transport.connect import Unreached, refusal
from doshit.transport.link import Link, LinkLost
from doshit.transport.route import Route
from doshit.transport.tries import Tries


class Links:
    """One route. As many connections as threads have ever asked at once; a forked child makes its own."""

    def __init__(self, route: Route, timeout: float) -> None:
        self._route, self._timeout = route, timeout
        self._idle: list[Link] = []
        self._pid = os.getpid()

    def exchange(self, command: Sequence[bytes | str | int | float]) -> Any:
        """The reply to one command, which may be sent twice. Raises an error of redis-py, or Unreached."""
        reply = self._try(command)
        tries = Tries(self._route) if isinstance(reply, Exception) else None
        while tries is not None and isinstance(reply, Exception):
            pause = tries.pause(_as_redis_py(reply))
            # The idle ones may be dead too, or lead to the node that was left; and each would cost a try.
            self.close()
            sleep(pause)
            reply = self._try(command)
        return reply

    def _try(self, command: Sequence[bytes | str | int | float]) -> Any:
        try:
            return self._once(command)
        except (LinkLost, Unreached) as error:
            return error

    def _once(self, command: Sequence[bytes | str | int | float]) -> Any:
        link = self._take()
        try:
            link.send(command)
            reply = self._reply(link)
        except BaseException:
            link.close()  # whatever it was: the next to use it must not read a reply that was meant for us
            raise
        self._idle.append(link)
        return reply

    def _take(self) -> Link:
        if self._pid != os.getpid():
            self._idle, self._pid = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            link = Link(self._route)  # without a name: a user who may do little may not give one
            link.connect()
            return link

    def _reply(self, link: Link) -> Any:
        while True:
            if not link.wait(self._timeout):
                # A connection can die without a word, and then so may have the idle ones.
                self.close()
                raise LinkLost(f"no answer within {self._timeout:g} s", answered=False)
            link.flush()
            if replies := link.receive():
                return replies[0]

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def _as_redis_py(failure: Exception) -> Exception:
    if isinstance(failure, LinkLost):
        lost = redis.exceptions.ConnectionError if failure.answered else redis.exceptions.TimeoutError
        return lost(str(failure))
    return refusal(failure) if isinstance(failure, hiredis.ReplyError) else failure
