"""What an operator does with tasks that are there: cancel many, look through the failed ones. Wait for none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from doshit.client.async_side import AsyncSide
    from doshit.client.info import TaskInfo
    from doshit.client.sync_side import SyncSide
    from doshit.values.keys import Keys


class Operations:
    """The operator's part of an app.

    Wherever failed tasks are meant, queue, function and code (an error code such as "time-limit") narrow them; None:
    whichever. All raise ServerError, and ConfigurationError for a queue or a code that cannot be.
    """

    if TYPE_CHECKING:

        @property
        def keys(self) -> Keys: ...
        @property
        def queue(self) -> str: ...
        def _sync_side(self) -> SyncSide: ...
        def _async_side(self) -> AsyncSide: ...

    def cancel_queue(self, name: str) -> datetime:
        """Cancels all that was submitted to a queue until now and that no worker has taken yet, also what is delayed.

        It costs the same whatever waits there: the moment, which is returned, is noted for 30 days, and a task from
        before it ends as failed, with the code "cancelled", when a worker comes to it. What runs goes on. A task whose
        producer wrote no `pending-created` is not touched.
        """
        from doshit.client import plans

        return self._sync_side().follow(plans.cutting_off(self.keys, "queue", name))

    async def acancel_queue(self, name: str) -> datetime:
        """The same as cancel_queue, for an event loop."""
        from doshit.client import plans

        return await self._async_side().follow(plans.cutting_off(self.keys, "queue", name))

    def cancel_function(self, name: str) -> datetime:
        """The same as cancel_queue for all tasks of a function, in every queue. name: as workers know it."""
        from doshit.client import plans

        return self._sync_side().follow(plans.cutting_off(self.keys, "function", name))

    async def acancel_function(self, name: str) -> datetime:
        """The same as cancel_function, for an event loop."""
        from doshit.client import plans

        return await self._async_side().follow(plans.cutting_off(self.keys, "function", name))

    def failed(
        self,
        queue: str | None = None,
        function: str | None = None,
        code: str | None = None,
        limit: int | None = 100,
    ) -> Iterator[TaskInfo]:
        """The failed tasks, the newest first. limit: at most so many; None: all that are kept, 10,000 for each queue.

        A cancelled task is not among them.
        """
        from doshit.client import plans

        wanted, side = plans.Filter.checked(queue, function, code), self._sync_side()
        entries = side.follow(plans.failed_entries(self.keys, self.queue, queue))
        left = len(entries) if limit is None else limit
        for at in range(0, len(entries), plans.READ_IDS):
            if left <= 0:
                return
            some = side.follow(plans.failed_infos(self.keys, wanted, entries[at : at + plans.READ_IDS]))[:left]
            left -= len(some)
            yield from some

    async def afailed(
        self,
        queue: str | None = None,
        function: str | None = None,
        code: str | None = None,
        limit: int | None = 100,
    ) -> AsyncIterator[TaskInfo]:
        """The same as failed, for an event loop: `async for task in app.afailed()`."""
        from doshit.client import plans

        wanted, side = plans.Filter.checked(queue, function, code), self._async_side()
        entries = await side.follow(plans.failed_entries(self.keys, self.queue, queue))
        left = len(entries) if limit is None else limit
        for at in range(0, len(entries), plans.READ_IDS):
            if left <= 0:
                return
            some = (await side.follow(plans.failed_infos(self.keys, wanted, entries[at : at + plans.READ_IDS])))[:left]
            left -= len(some)
            for each in some:
                yield each

    def retry_failed(self, queue: str | None = None, function: str | None = None, code: str | None = None) -> int:
        """Runs failed tasks again as if they were new, and says how many: with their arguments, options and ids."""
        from doshit.client import plans

        wanted = plans.Filter.checked(queue, function, code)
        return self._sync_side().follow(plans.requeueing_failed(self.keys, wanted, self.queue))

    async def aretry_failed(
        self, queue: str | None = None, function: str | None = None, code: str | None = None
    ) -> int:
        """The same as retry_failed, for an event loop."""
        from doshit.client import plans

        wanted = plans.Filter.checked(queue, function, code)
        return await self._async_side().follow(plans.requeueing_failed(self.keys, wanted, self.queue))

    def drop_failed(self, queue: str | None = None, function: str | None = None, code: str | None = None) -> int:
        """Forgets failed tasks, their hashes and their output, and says how many."""
        from doshit.client import plans

        wanted = plans.Filter.checked(queue, function, code)
        return self._sync_side().follow(plans.dropping_failed(self.keys, wanted, self.queue))

    async def adrop_failed(self, queue: str | None = None, function: str | None = None, code: str | None = None) -> int:
        """The same as drop_failed, for an event loop."""
        from doshit.client import plans

        wanted = plans.Filter.checked(queue, function, code)
        return await self._async_side().follow(plans.dropping_failed(self.keys, wanted, self.queue))
