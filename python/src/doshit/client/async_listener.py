"""Hears of the ends of tasks for all that wait in one event loop, on one connection. Reads no hash.

As the listener of threads, with a task that reads, while somebody waits, in place of a leading thread.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from doshit.client.board import Board, Ticket
from doshit.client.ending import REREAD
from doshit.errors import ServerError
from doshit.transport import AsyncFace
from doshit.values.keys import Keys


class LoopTicket(Ticket):
    """One waiting coroutine. error: why nothing can be heard."""

    __slots__ = ("bell", "error")

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.bell = asyncio.Event()
        self.error: ServerError | None = None

    def ring(self) -> None:
        self.bell.set()


class AsyncListener:
    """What one event loop hears of its tasks."""

    def __init__(self, face: AsyncFace, keys: Keys) -> None:
        self._board: Board[LoopTicket] = Board(keys)
        self._subscription = face.subscribe([self._board.channel])
        self._reader: asyncio.Task[None] | None = None

    @property
    def channel(self) -> str:
        return self._board.channel

    def invite(self) -> int | None:
        """Called before a submit: the epoch if the task should name our channel as its reply-to."""
        return self._board.invite() if self._subscription.is_open else None

    def attend(self) -> None:
        """Called when a wait begins."""
        self._board.attend()

    async def enter(self, key: bytes, epoch: int | None) -> LoopTicket:
        """Begins to listen for a task. epoch: what invite() said, None for a task that does not name our channel."""
        ticket = LoopTicket(key)
        if self._board.enter(ticket, epoch):
            await self._subscription.add(self._board.results)
        return ticket

    async def leave(self, ticket: LoopTicket) -> None:
        if self._board.leave(ticket):
            await self._subscription.drop(self._board.results)

    async def wait(self, ticket: LoopTicket, seconds: float) -> bool:
        """Waits until a look at the hash is due, at most so many seconds; whether it is. Raises ServerError."""
        if not ticket.due:
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read(), name="doshit-listener")
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ticket.bell.wait()
        ticket.bell.clear()
        if ticket.error is not None:
            error, ticket.error = ticket.error, None
            raise error
        due, ticket.due = ticket.due, False
        return due

    async def _read(self) -> None:
        try:
            while self._board.tickets():
                if not self._subscription.is_open:
                    await self._subscription.open()
                    self._board.gap()
                for event in await self._subscription.events(REREAD):
                    self._board.hear(event)
        except ServerError as error:
            for ticket in self._board.tickets():
                ticket.error = error
                ticket.ring()

    async def distrust(self) -> None:
        """An end was not heard of: the connection may be dead without a word, so the next wait makes another."""
        if not self._board.tickets():
            await self.close()

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        await self._subscription.close()
