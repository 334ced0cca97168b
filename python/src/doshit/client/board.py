"""Who waits for which task, and what a message means for them. Waits for nothing, sends nothing, locks nothing.

A message is a hint and may be lost; so a ticket is also due after every gap, and whoever waits looks at the hash every
few seconds whatever happens.
"""

from __future__ import annotations

from binascii import hexlify
from os import urandom
from typing import Generic, TypeVar

from doshit.values.keys import Keys

UNHEARD = 1000
"""How many tasks in a row name our channel although nobody waits: what Redis must keep for us has a bound."""

Event = tuple[bytes, bytes, bytes | int]


class Ticket:
    """One that waits.

    everyones: its message comes on `results` only; due: a look at the hash is due; told: the result as JSON, where the
    message of its end carried it.
    """

    __slots__ = ("due", "everyones", "key", "told")

    def __init__(self, key: bytes) -> None:
        self.key, self.everyones, self.due = key, False, False
        self.told = b""

    def ring(self) -> None:
        """Wakes whoever waits with this ticket."""
        raise NotImplementedError


T = TypeVar("T", bound=Ticket)


class Board(Generic[T]):
    """The tickets of one listener, and what it hears: its own reply channel always, `results` while somebody must.

    epoch: grows with every message and after every gap. A task that was submitted with our channel as its reply-to
    has not ended unheard as long as the epoch has not changed.
    """

    def __init__(self, keys: Keys) -> None:
        self.channel = keys.reply(hexlify(urandom(4)).decode())
        self.results = keys.results
        self._results = keys.results.encode()
        self.epoch = 0
        self._tickets: dict[bytes, list[T]] = {}
        self._everyones = 0
        self._hears_results = False
        self._unheard = 0

    def invite(self) -> int | None:
        """The epoch, if a task that is about to be submitted should name our channel."""
        if self._unheard >= UNHEARD:
            return None
        self._unheard += 1
        return self.epoch

    def attend(self) -> None:
        """Somebody waits here, so tasks may name our channel again."""
        self._unheard = 0

    def enter(self, ticket: T, epoch: int | None) -> bool:
        """Begins to wait. epoch: of the invitation, None without. Returns whether `results` is to be subscribed now."""
        self._tickets.setdefault(ticket.key, []).append(ticket)
        if epoch is not None:
            ticket.due = epoch != self.epoch
            return False
        ticket.everyones, ticket.due = True, self._hears_results
        self._everyones += 1
        return self._everyones == 1

    def leave(self, ticket: T) -> bool:
        """Ends a wait. Returns whether `results` is to be unsubscribed now."""
        same = self._tickets[ticket.key]
        same.remove(ticket)
        if not same:
            del self._tickets[ticket.key]
        if not ticket.everyones:
            return False
        self._everyones -= 1
        if not self._everyones:
            self._hears_results = False
        return not self._everyones

    def hear(self, event: Event) -> None:
        """Takes in one event of the subscription."""
        kind, channel, payload = event
        if kind == b"message" and isinstance(payload, bytes):
            self.epoch += 1
            # A reply channel says more than the key: what stands behind the last newline is a result, or nothing.
            key, _, told = (
                (payload, b"", b"") if channel == self._results or b"\n" not in payload else payload.rpartition(b"\n")
            )
            self._wake(self._tickets.get(key, ()), told)
        elif kind == b"subscribe" and channel == self._results:
            self.gap()  # what ended before this moment was not heard

    def gap(self) -> None:
        """The subscription is whole from now on, and messages may have been missed before."""
        self.epoch += 1
        self._hears_results = self._everyones > 0
        self._wake(self.tickets())

    def tickets(self) -> list[T]:
        return [ticket for same in self._tickets.values() for ticket in same]

    def _wake(self, some: list[T] | tuple[()], told: bytes = b"") -> None:
        for ticket in some:
            ticket.due, ticket.told = True, told
            ticket.ring()
