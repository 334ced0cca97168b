"""What a caller holds of a task that was submitted. Keeps no result: every question is asked of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from doshit.errors import TaskVanished

if TYPE_CHECKING:
    from doshit.client.app import Doshit
    from doshit.client.info import OutputLine, Progress, TaskInfo

R_co = TypeVar("R_co", covariant=True)
# A hash without state is pending; the other two tell whether there is a hash.
STATE_FIELDS = ("state", "function", "args")


class Handle(Generic[R_co]):
    """One task, by its id. Cheap to make and to keep; may be used from any thread and after fork."""

    __slots__ = ("_app", "_heard", "_kind", "_known", "id")

    def __init__(self, app: Doshit, id: str, kind: Any = Any, known: bool = False, heard: Any = None) -> None:
        self._app, self.id = app, id
        self._kind = kind
        self._known = known  # it has been in Redis
        self._heard = heard  # where a message of its end will arrive

    def result(self, timeout: float | None = None) -> R_co:
        """Waits for the end and returns the task's result, read as the function's return annotation says.

        timeout: seconds, 0 for a single look, None to wait for ever. A lost connection is mended meanwhile.
        Raises TaskFailed; WaitTimeout; TaskVanished, for an id that nobody has seen yet after 5 s; BadValue when what
        its worker wrote does not fit; ServerUnavailable when Redis stays away for 60 s of a wait without timeout;
        ConfigurationError for a timeout that is no number.
        """
        value: R_co = self._app._sync_side().wait(self.id, self._kind, self._known, timeout, self._heard)
        return value

    async def aresult(self, timeout: float | None = None) -> R_co:
        """The same as result, for an event loop."""
        value: R_co = await self._app._async_side().wait(self.id, self._kind, self._known, timeout, self._heard)
        return value

    def state(self) -> str:
        """`pending` (also while delayed), `executing` or `finished`. Raises TaskVanished."""
        return self._state(self._app._sync_side().fields(self.id, STATE_FIELDS))

    async def astate(self) -> str:
        """The same as state, for an event loop."""
        return self._state(await self._app._async_side().fields(self.id, STATE_FIELDS))

    def _state(self, fields: Sequence[bytes | None]) -> str:
        state, *others = fields
        if state is None and not any(others):
            raise TaskVanished(self.id)
        return "pending" if state is None else state.decode("utf-8", "replace")

    def info(self) -> TaskInfo:
        """All that its hash says now. Raises TaskVanished."""
        return self._info(self._app._sync_side().hash(self.id))

    async def ainfo(self) -> TaskInfo:
        """The same as info, for an event loop."""
        return self._info(await self._app._async_side().hash(self.id))

    def _info(self, fields: dict[bytes, bytes]) -> TaskInfo:
        from doshit.client.info import TaskInfo  # dataclasses cost milliseconds that `import doshit` need not pay

        if not fields:
            raise TaskVanished(self.id)
        return TaskInfo.read(self.id, fields)

    def cancel(self) -> str:
        """Asks that it need not be done, and says what became of that, as one word:

        "cancelled": it has not run and will not, that is its end; "asked": it runs, and its worker has been told to end
        the run; "finished": it was over already; "unknown": it is not in Redis. Cancelled tasks fail with the code
        "cancelled". A user of the URL who may not run scripts always hears "asked".
        """
        from doshit.client import plans

        return self._app._sync_side().follow(plans.cancelling(self._app.keys, [self.id]))[0]

    async def acancel(self) -> str:
        """The same as cancel, for an event loop."""
        from doshit.client import plans

        return (await self._app._async_side().follow(plans.cancelling(self._app.keys, [self.id])))[0]

    def retry(self) -> bool:
        """Runs it again as if it were new, if it has failed; False if it has not. Raises TaskVanished."""
        from doshit.client import plans

        self._heard = None  # its end will be another one
        return self._app._sync_side().follow(plans.requeueing(self._app.keys, self.id))

    async def aretry(self) -> bool:
        """The same as retry, for an event loop."""
        from doshit.client import plans

        self._heard = None  # its end will be another one
        return await self._app._async_side().follow(plans.requeueing(self._app.keys, self.id))

    def progress(self) -> Progress | None:
        """How far it said it is, None if it has said nothing. Raises TaskVanished."""
        from doshit.client import plans

        return self._app._sync_side().follow(plans.progress_of(self._app.keys, self.id))

    async def aprogress(self) -> Progress | None:
        """The same as progress, for an event loop."""
        from doshit.client import plans

        return await self._app._async_side().follow(plans.progress_of(self._app.keys, self.id))

    def output(self) -> list[OutputLine]:
        """What it has printed and logged until now, the oldest first, as much of it as is kept. Raises TaskVanished."""
        from doshit.client import plans

        return self._app._sync_side().follow(plans.output_of(self._app.keys, self.id))

    async def aoutput(self) -> list[OutputLine]:
        """The same as output, for an event loop."""
        from doshit.client import plans

        return await self._app._async_side().follow(plans.output_of(self._app.keys, self.id))

    def __repr__(self) -> str:
        return f"Handle({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.id == self.id and other._app is self._app

    def __hash__(self) -> int:
        return hash(self.id)
