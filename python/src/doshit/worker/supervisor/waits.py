"""The idle waits: one for each queue, a BLMOVE on a connection of its own and a claim right behind it.

The server runs the claim in the same step in which the BLMOVE ends, so what arrives is claimed without another round
trip. The replies may be lost with the connection. What BLMOVE has moved is in `arrived`, where every claim looks first;
and the claim is asked again elsewhere, for the same request answers the same tasks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from doshit.commands import Call, ClaimReply
from doshit.transport import Link, ReplyError
from doshit.values.keys import Keys
from doshit.worker.supervisor.line import Line

log = logging.getLogger("doshit.worker")

BLOCK = 2  # seconds of one BLMOVE: a dead client is not served for longer (half-open TCP)
_DEADLINE = BLOCK + 8.0  # then the connection counts as gone
_PAUSE = 1.0  # after an error


class Wait:
    """The wait of one queue.

    on_reply hears what its claim has answered; on_lost that this did not come.
    mark: what the claims begin with that are on their way.
    """

    def __init__(self, url: str, keys: Keys, queue: str, on_wake: Callable[[], None]) -> None:
        self.queue = queue
        self.on_reply: Callable[[ClaimReply], None] = lambda reply: None
        self.on_lost: Callable[[Call[ClaimReply]], None] = lambda call: None
        self.mark = b""
        self._line = Line(url, "doshit-wait", ("CLIENT", "ID"), on_wake, keys.prefix)
        self._command = ("BLMOVE", keys.pending(queue), keys.arrived(queue), "RIGHT", "LEFT", BLOCK)
        self._client_id: int | None = None
        self._call: Call[ClaimReply] | None = None
        self._replies: list[Any] = []
        self._asked = 0.0
        self._not_before = 0.0
        self._unblocking = False

    @property
    def link(self) -> Link:
        return self._line.link

    @property
    def armed(self) -> bool:
        """Is its claim under way?"""
        return self._call is not None

    def is_ready(self, now: float) -> bool:
        """May it begin to wait? If its connection is missing, it begins to connect."""
        if self.armed or now < self._not_before:
            return False
        return self._line.ready(now) and self._client_id is not None

    def arm(self, call: Call[ClaimReply], mark: bytes, now: float) -> None:
        """Begins to wait, with this claim behind."""
        self._call, self.mark, self._replies = call, mark, []
        self._asked, self._unblocking = now, False
        if not self._line.send(self._command, call.evalsha()):
            self._lose()

    def unblock(self) -> tuple[str, str, int] | None:
        """The command that ends this wait early, for another connection; its own replies still come."""
        if not self.armed or self._unblocking or self._client_id is None:
            return None
        self._unblocking = True
        return ("CLIENT", "UNBLOCK", self._client_id)

    def receive(self) -> None:
        """Reads what is there: the answer to the greeting, or the replies to the wait and its claim."""
        replies = self._line.receive()
        if replies is None:
            self._lose()
        for reply in replies or ():
            if self._client_id is None:
                self._client_id = reply if isinstance(reply, int) else 0
            else:
                self._replies.append(reply)
        if len(self._replies) == 2:
            self._take(*self._replies)

    def _take(self, moved: Any, reply: Any) -> None:
        assert self._call is not None
        call, self._call, self._replies = self._call, None, []
        refusals = [it for it in (moved, reply) if isinstance(it, ReplyError)]
        if refusals:
            self._refused(str(refusals[0]), call)
        else:
            self.on_reply(call.parse(reply))

    def _refused(self, words: str, call: Call[ClaimReply]) -> None:
        # A text that the server has forgotten is sent by the next try.
        if not words.startswith("NOSCRIPT"):
            log.warning("waiting on queue %s: %s", self.queue, words)
            self._not_before = time.monotonic() + _PAUSE
            if not words.startswith("WRONGTYPE"):
                self._hang_up()
        self.on_lost(call)

    def tick(self, now: float) -> None:
        """Gives a connection up that should have answered long ago, to its greeting or to a wait."""
        is_greeting = self._line.link.is_open and self._client_id is None
        asked = self._line.opened_at if is_greeting else self._asked
        if (is_greeting or self.armed) and now - asked > _DEADLINE:
            log.warning("no answer to the wait on queue %s for %g s; connecting again", self.queue, _DEADLINE)
            self._lose()

    def _lose(self) -> None:
        self._hang_up()
        call, self._call, self._replies = self._call, None, []
        if call is not None:
            self.on_lost(call)

    def _hang_up(self) -> None:
        self._line.hang_up()
        self._client_id = None

    def close(self) -> None:
        self._hang_up()
