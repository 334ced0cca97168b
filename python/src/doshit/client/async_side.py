"""The side of a client for an event loop: sends what is decided elsewhere, and waits. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from doshit.client import submission
from doshit.client.async_listener import AsyncListener, LoopTicket
from doshit.client.catalog import Catalog
from doshit.client.ending import END_FIELDS, PENDING, Wait
from doshit.client.job import Job
from doshit.commands import Call
from doshit.errors import NotPermitted, ServerError, ServerUnavailable
from doshit.transport import AsyncFace
from doshit.values.keys import Keys

if TYPE_CHECKING:
    from doshit.client.plans import Plan

R = TypeVar("R")
Heard = tuple[AsyncListener, int]


class AsyncSide:
    """One event loop's connections to one server."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.keys = keys
        self.face = AsyncFace(url, keys.prefix)
        self.listener = AsyncListener(self.face, keys)
        self.catalog = Catalog(keys)
        # What the user of the URL may do is found out once.
        self._may_call = self._may_listen = True

    async def submit(self, job: Job[Any]) -> tuple[str, Heard | None]:
        """Submits one task: the word of submit, and where its end will be heard."""
        epoch = self.listener.invite()
        reply_to = None if epoch is None else self.listener.channel
        if self._may_call:
            try:
                word = (await self.face.call(submission.submit_one(self.keys, job, reply_to)))[0]
                return word, None if epoch is None or word != "created" else (self.listener, epoch)
            except NotPermitted:
                self._may_call = False
        return (await self._submit_plainly([job]))[0], None

    async def submit_many(self, some: Iterable[Job[Any]]) -> list[str]:
        """Submits many in few round trips: the word of submit for each, in order."""
        words: dict[int, str] = {}
        for trip in submission.trips(submission.batches(some)):
            for batch, said in zip(trip, await self._submit_trip(trip), strict=True):
                words.update(zip((at for at, _ in batch), said, strict=True))
        return [words[at] for at in range(len(words))]

    async def _submit_trip(self, trip: list[submission.Batch]) -> list[list[str]]:
        if self._may_call:
            try:
                return await self.face.calls([submission.submit_batch(self.keys, batch) for batch in trip])
            except NotPermitted:
                self._may_call = False
        return [await self._submit_plainly([job for _, job in batch]) for batch in trip]

    async def _submit_plainly(self, some: Sequence[Job[Any]]) -> list[str]:
        words = [await self._plain_word(job) for job in some]
        now = datetime.now(UTC)
        fresh = [job for job, word in zip(some, words, strict=True) if word == "created"]
        await self.face.pipeline([each for job in fresh for each in submission.plain_submission(self.keys, job, now)])
        return words

    async def _plain_word(self, job: Job[Any]) -> str:
        if not job.own_id:
            return "created"
        return submission.plain_word(job, await self.face.command(*submission.plain_look(self.keys, job)))

    async def follow(self, plan: Plan[R]) -> R:
        """Sends what a plan says, until it ends; its result. A refusal is the plan's to mend."""
        try:
            asked = next(plan)
            while True:
                try:
                    replies = await (self.face.call(asked) if isinstance(asked, Call) else self.face.pipeline(asked))
                except ServerError as refusal:
                    asked = plan.throw(refusal)
                else:
                    asked = plan.send(replies)
        except StopIteration as end:
            result: R = end.value
            return result

    async def fields(self, id: str, names: Sequence[str]) -> Sequence[bytes | None]:
        """Some fields of a task's hash, None where there is none."""
        return await self.face.fields(self._key(id), names)

    async def hash(self, id: str) -> dict[bytes, bytes]:
        """The whole hash of a task, {} where there is none."""
        flat = await self.face.command("HGETALL", self._key(id))
        return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))

    async def wait(self, id: str, kind: Any, known: bool, timeout: float | None, heard: Heard | None) -> Any:
        """The result of a task, as Handle.result promises."""
        wait = Wait(id, kind, known, timeout, monotonic())
        epoch = heard[1] if heard is not None and heard[0] is self.listener else None
        only_one_look = timeout is not None and timeout <= 0
        if not only_one_look:
            self.listener.attend()
        if (epoch is None or only_one_look) and (value := await self._look(wait)) is not PENDING:
            return value  # it had ended already: no need to listen to everybody's messages
        ticket = await self.listener.enter(self._key(id), epoch)
        try:
            while True:
                heard_it = await self._listen(wait, ticket)
                value = wait.take(ticket.told) if ticket.told else await self._look(wait)
                if value is not PENDING:
                    break
        finally:
            await self.listener.leave(ticket)
        if not heard_it:
            await self.listener.distrust()
        return value

    async def _look(self, wait: Wait) -> Any:
        try:
            reply = await self.fields(wait.id, END_FIELDS)
        except ServerUnavailable as error:
            await asyncio.sleep(wait.away(error, monotonic()))
            return PENDING
        return wait.judge(reply, monotonic())

    async def _listen(self, wait: Wait, ticket: LoopTicket) -> bool:
        try:
            if self._may_listen:
                return await self.listener.wait(ticket, wait.pause(monotonic()))
        except NotPermitted:
            self._may_listen = False
        except ServerUnavailable as error:
            await asyncio.sleep(wait.away(error, monotonic()))
            return True
        await asyncio.sleep(wait.blind(monotonic()))
        return True

    async def close(self) -> None:
        await self.listener.close()
        await self.face.close()

    def _key(self, id: str) -> bytes:
        return self.keys.task(id).encode("utf-8", "surrogateescape")
