"""Hears of the ends of tasks for all waiting threads of a client, on one connection. Reads no hash.

There is no thread of its own. Of the threads that wait, one leads: it reads the connection and rings for whoever a
message is meant; when it has its own, it hands the lead to another.
"""

from __future__ import annotations

import threading
from time import monotonic

from doshit.client.board import Board, Ticket
from doshit.transport import SyncFace
from doshit.values.keys import Keys


class ThreadTicket(Ticket):
    """One waiting thread. asleep: it waits for its bell, so it could lead."""

    __slots__ = ("asleep", "bell")

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.asleep = False
        self.bell = threading.Lock()
        self.bell.acquire()

    def ring(self) -> None:
        if self.asleep and self.bell.locked():
            self.bell.release()


class Listener:
    """What one process hears of its tasks; used by any number of threads."""

    def __init__(self, face: SyncFace, keys: Keys) -> None:
        self._board: Board[ThreadTicket] = Board(keys)
        self._subscription = face.subscribe([self._board.channel])
        # Guards the board, the leader and `asleep`; never held while waiting.
        self._lock = threading.Lock()
        self._leader: ThreadTicket | None = None

    @property
    def channel(self) -> str:
        return self._board.channel

    def invite(self) -> int | None:
        """Called before a submit: the epoch if the task should name our channel as its reply-to."""
        return self._board.invite() if self._subscription.is_open else None

    def attend(self) -> None:
        """Called when a wait begins."""
        self._board.attend()

    def enter(self, key: bytes, epoch: int | None) -> ThreadTicket:
        """Begins to listen for a task. epoch: what invite() said, None for a task that does not name our channel."""
        ticket = ThreadTicket(key)
        with self._lock:
            if self._board.enter(ticket, epoch):
                self._subscription.add(self._board.results)
        return ticket

    def leave(self, ticket: ThreadTicket) -> None:
        with self._lock:
            if self._board.leave(ticket):
                self._subscription.drop(self._board.results)

    def wait(self, ticket: ThreadTicket, seconds: float) -> bool:
        """Waits until a look at the hash is due, at most so many seconds; whether it is. Raises ServerError."""
        until = monotonic() + seconds
        try:
            while not ticket.due and (left := until - monotonic()) > 0:
                if self._leads(ticket):
                    self._lead(ticket, until)
                else:
                    ticket.bell.acquire(timeout=left)
        finally:
            self._hand_over(ticket)
        due, ticket.due = ticket.due, False
        return due

    def _leads(self, ticket: ThreadTicket) -> bool:
        with self._lock:
            if self._leader is None:
                self._leader = ticket
            ticket.asleep = self._leader is not ticket
            return not ticket.asleep

    def _lead(self, ticket: ThreadTicket, until: float) -> None:
        if not self._subscription.is_open:
            self._subscription.open()
            with self._lock:
                self._board.gap()
        while not ticket.due and (left := until - monotonic()) > 0:
            if events := self._subscription.events(left):
                with self._lock:
                    for event in events:
                        self._board.hear(event)

    def _hand_over(self, ticket: ThreadTicket) -> None:
        with self._lock:
            ticket.asleep = False
            if self._leader is ticket:
                self._leader = None
            # Also where this one was woken to lead, and has no reason to wait any more.
            if self._leader is None and (heir := next((one for one in self._board.tickets() if one.asleep), None)):
                heir.ring()

    def distrust(self) -> None:
        """An end was not heard of: the connection may be dead without a word, so the next wait makes another."""
        with self._lock:
            if self._leader is None:
                self._subscription.close()

    def close(self) -> None:
        self._subscription.close()
