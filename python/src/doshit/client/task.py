"""A function that can be enqueued. Binds and checks calls; the app sends them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack

from doshit.client.handle import Handle
from doshit.errors import BadArguments, ConfigurationError
from doshit.values.names import check_id

if TYPE_CHECKING:
    from doshit.client.app import Doshit
    from doshit.client.job import Job
    from doshit.client.options import OptionFields, Options
    from doshit.client.policy import Policy
    from doshit.values.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")
AnyCall = tuple[Any, ...] | Mapping[str, Any]


class Enqueuer(Generic[P, R]):
    """A task with options: what `add.options(queue="x")` returns. Everything a Task has but the plain call."""

    def __init__(self, app: Doshit, name: str, signature: Signature, options: Options | None) -> None:
        self.app, self.name, self.signature = app, name, signature
        self._options = options

    def options(self, **options: Unpack[OptionFields]) -> Enqueuer[P, R]:
        """The same task, to be enqueued with these options. Raises ConfigurationError, naming the option."""
        return Enqueuer(self.app, self.name, self.signature, self.app._options(self._options, options))

    def job(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """The call, bound and checked, for Doshit.enqueue_many. Raises BadArguments."""
        return self.app._job(self.name, self.signature.bind(args, kwargs), self._options, self.signature)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Submits the call to a worker.

        Raises BadArguments when the function would refuse it, IdConflict, ServerError. When it returns, the task is in
        Redis; the id of a task that is there already returns that one's handle.
        """
        return self.app._submit(self.job(*args, **kwargs))

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """The same as enqueue, for an event loop."""
        return await self.app._asubmit(self.job(*args, **kwargs))

    def handle(self, id: str) -> Handle[R]:
        """The handle of a task of this function that was submitted elsewhere or earlier, so its result is typed."""
        return Handle(self.app, check_id(id), self.signature.returns)

    def enqueue_many(self, calls: Iterable[AnyCall]) -> list[Handle[R]]:
        """Submits many calls in few round trips: a tuple has the arguments in order, a dict has them by name.

        All calls are bound and checked before the first is sent. Raises what enqueue raises.
        """
        return self.app.enqueue_many(self._jobs(calls))

    async def aenqueue_many(self, calls: Iterable[AnyCall]) -> list[Handle[R]]:
        """The same as enqueue_many, for an event loop."""
        return await self.app.aenqueue_many(self._jobs(calls))

    def _jobs(self, calls: Iterable[AnyCall]) -> list[Job[R]]:
        if self._options is not None and self._options.id:
            raise ConfigurationError("option 'id': many tasks cannot share one; give each its own with job()")
        return [self._job_of(call) for call in calls]

    def _job_of(self, call: AnyCall) -> Job[R]:
        if isinstance(call, tuple):
            raw = self.signature.bind(call, {})
        elif isinstance(call, Mapping):
            raw = self.signature.bind((), dict(call))
        else:
            raise BadArguments(f"expected a tuple or a dict for each call, got {type(call).__name__}", self.name)
        return self.app._job(self.name, raw, self._options, self.signature)


class Task(Enqueuer[P, R]):
    """A decorated function: still called as before, and enqueued with `enqueue`.

    function: the function itself; name: what workers know it by; signature: what it takes; queue: where it goes by
    default, "" for the app's queue; is_async: whether it is an `async def`; policy: the limits and retries of its runs.
    """

    def __init__(
        self,
        app: Doshit,
        function: Callable[P, Any],
        name: str,
        signature: Signature,
        options: Options | None,
        policy: Policy,
    ) -> None:
        super().__init__(app, name, signature, options)
        update_wrapper(self, function)
        self.function, self.policy = function, policy
        self.queue = options.queue if options else ""
        self.is_async = bool(function.__code__.co_flags & _ASYNC)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self.function(*args, **kwargs)
        return result

    def __repr__(self) -> str:
        return f"<task {self.name} of {self.place()}>"

    def place(self) -> str:
        """Where the function stands: file and line."""
        code = self.function.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"


# inspect.CO_COROUTINE, without the milliseconds of inspect.
_ASYNC = 0x80


class AsyncTask(Task[P, R]):
    """A decorated `async def`: calling it gives a coroutine, its result is what that returns."""

    if TYPE_CHECKING:
        # To a type checker a plain call differs from the result here, and only here.
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]: ...  # type: ignore[override]
