"""One application: its settings, its tasks and how they are enqueued. Connects when first needed; runs nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar, Unpack, overload

from doshit.client.handle import Handle
from doshit.client.job import Job
from doshit.client.operations import Operations
from doshit.client.task import AsyncTask, Task
from doshit.errors import BadArguments, BadTask, ConfigurationError, IdConflict
from doshit.values.ids import uuid7
from doshit.values.keys import Keys
from doshit.values.names import check_id, check_queue

if TYPE_CHECKING:
    import asyncio
    from datetime import timedelta
    from typing import Literal

    from doshit.client.async_side import AsyncSide
    from doshit.client.options import OptionFields, Options
    from doshit.client.policy import PolicyFields
    from doshit.client.sync_side import SyncSide
    from doshit.values.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")
Hook = TypeVar("Hook", bound=Callable[[], object])
# Modules that cost tens of milliseconds (msgspec, redis, asyncio) are imported where they are first needed: a program
# that only imports its tasks need not wait for them.


class _Process:
    """This process. A forked child is another one: no thread is there that could release its parent's locks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_process = _Process()


def _after_fork() -> None:
    global _process
    _process = _Process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Decorator(Protocol):
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class Doshit(Operations):
    """An application: a prefix on a Redis server, and the tasks of this program that live there.

    url: by default DOSHIT_REDIS, else REDIS_URL, else redis://localhost:6379/0; prefix: DOSHIT_APP_PREFIX, else
    "doshit"; queue: DOSHIT_QUEUE, else "default". The environment is read at the first use, which is also when it
    connects. One instance serves all threads and event loops, and a forked child too, which connects anew.

    check: whether calls by name are checked before the push, by what live workers tell of their functions; what they
    tell is read again after some seconds, and where nothing can be read every call passes.

    registry: the tasks by name; child_start_hooks: what a worker's child runs before its first task.
    Raises ConfigurationError for a prefix or a queue that cannot be one, and for a url that is no text.
    """

    def __init__(
        self, url: str | None = None, *, prefix: str | None = None, queue: str | None = None, check: bool = True
    ) -> None:
        if url is not None and not isinstance(url, str):
            raise ConfigurationError(f"Doshit({url!r}): give the server as a URL, such as redis://localhost:6379/0")
        self._checks = check
        self._url, self._queue = url, None if queue is None else check_queue(queue)
        self._keys = None if prefix is None else Keys(prefix)
        self.registry: dict[str, Task[..., Any]] = {}
        self.child_start_hooks: list[Callable[[], object]] = []
        self._sync: tuple[_Process, SyncSide] | None = None
        self._async: tuple[_Process, dict[asyncio.AbstractEventLoop, AsyncSide]] | None = None

    # Settings

    @property
    def url(self) -> str:
        """The server, as a Redis URL."""
        if self._url is None:
            environ = os.environ
            self._url = environ.get("DOSHIT_REDIS") or environ.get("REDIS_URL") or "redis://localhost:6379/0"
        return self._url

    @property
    def keys(self) -> Keys:
        """The names of the keys under this app's prefix."""
        if self._keys is None:
            self._keys = Keys(os.environ.get("DOSHIT_APP_PREFIX") or "doshit")
        return self._keys

    @property
    def prefix(self) -> str:
        """What every key of this app begins with, without the colon."""
        return self.keys.prefix

    @property
    def queue(self) -> str:
        """The queue of tasks that name none."""
        if self._queue is None:
            self._queue = check_queue(os.environ.get("DOSHIT_QUEUE") or "default")
        return self._queue

    # Tasks

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        result_ttl: float | timedelta | Literal["keep"] | None = None,
        **policy: Unpack[PolicyFields],
    ) -> _Decorator: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str | None = None,
        result_ttl: float | timedelta | Literal["keep"] | None = None,
        **policy: Unpack[PolicyFields],
    ) -> Any:
        """Decorates a plain or async function: it can still be called as before, and enqueued too.

        name: what workers know it by, the function's own by default; queue, result_ttl: defaults for its options;
        policy: the limits and retries of its runs, by the names that PolicyFields describes: time_limit, memory_limit,
        retries, retry_delay, retry_backoff, retry_on, no_retry_on, alone, fresh. It holds for tasks of any producer.
        Raises BadTask for *args, positional-only parameters and a name that is taken; ConfigurationError.
        """
        given: Any = {"queue": queue, "result_ttl": result_ttl}
        given = {option: value for option, value in given.items() if value is not None}

        def decorate(function: Callable[..., Any]) -> Task[..., Any]:
            return self._register(function, name, self._options(None, given) if given else None, policy)

        return decorate if function is None else decorate(function)

    def _register(
        self, function: Callable[..., Any], name: str | None, options: Options | None, policy: PolicyFields
    ) -> Task[..., Any]:
        from doshit.client.policy import Policy
        from doshit.values.signature import Signature

        if name is not None and not isinstance(name, str):
            raise BadTask(f"name {name!r} of {function!r}: expected text")
        signature = Signature.of(function, name or "")
        task: Task[..., Any] = Task(self, function, signature.name, signature, options, Policy.of(policy))
        other = self.registry.get(task.name)
        if other is not None and other.place() != task.place():
            raise BadTask(
                f"two tasks are named {task.name!r}, at {other.place()} and at {task.place()}; "
                "give one of them another name with @task(name=...)"
            )
        self.registry[task.name] = task
        return task

    def on_child_start(self, hook: Hook) -> Hook:
        """Decorates a function without parameters that every child of a worker runs before its first task.

        For what must not be shared with a parent process: database connections, random seeds, frameworks.
        """
        self.child_start_hooks.append(hook)
        return hook

    # Enqueuing

    def job(self, function: str, args: Mapping[str, Any] | None = None, **options: Unpack[OptionFields]) -> Job[Any]:
        """A call by name, checked, for enqueue_many; see enqueue."""
        if not isinstance(function, str):
            raise BadArguments(f"{function!r}: give the name of a function, or call the enqueue of the task itself")
        task = self.registry.get(function)
        if task is not None:
            raw = task.signature.bind((), _named(function, args))
            return self._job(function, raw, self._options(task._options, options), task.signature)
        from doshit.client.by_name import encode_args

        return self._job(function, encode_args(function, _named(function, args)), self._options(None, options), None)

    def enqueue(
        self, function: str, args: Mapping[str, Any] | None = None, **options: Unpack[OptionFields]
    ) -> Handle[Any]:
        """Submits a call by the function's name, whose code need not be here.

        args: one member per parameter, anything that JSON can carry; checked against the signature where the function
        is a task of this app, else by what live workers tell of it. Raises BadArguments, IdConflict,
        ConfigurationError, ServerError.
        """
        return self._submit(self.job(function, args, **options))

    async def aenqueue(
        self, function: str, args: Mapping[str, Any] | None = None, **options: Unpack[OptionFields]
    ) -> Handle[Any]:
        """The same as enqueue, for an event loop."""
        return await self._asubmit(self.job(function, args, **options))

    def enqueue_many(self, jobs: Iterable[Job[R]]) -> list[Handle[R]]:
        """Submits what Task.job and Doshit.job made, in few round trips; the handles come in the same order.

        An id conflict stops nothing: all others are submitted, then IdConflict is raised for the first, and its
        `handles` has the handle of every job that was submitted, None for one that was not. After any other
        ServerError some may have been submitted: those with ids of your own may simply be sent again. Raises
        BadArguments for what is no job; nothing was submitted then.
        """
        listed, side = _listed(jobs), self._sync_side()
        if self._checks:
            side.follow(side.catalog.check(listed))
        return self._accept_many(listed, side.submit_many(listed))

    async def aenqueue_many(self, jobs: Iterable[Job[R]]) -> list[Handle[R]]:
        """The same as enqueue_many, for an event loop."""
        listed, side = _listed(jobs), self._async_side()
        if self._checks:
            await side.follow(side.catalog.check(listed))
        return self._accept_many(listed, await side.submit_many(listed))

    def handle(self, id: str) -> Handle[Any]:
        """The handle of a task that was submitted elsewhere or earlier. Asks nothing of Redis yet."""
        return Handle(self, check_id(id))

    def _options(self, base: Options | None, given: OptionFields) -> Options | None:
        if not given:
            return base
        from doshit.client.options import Options

        return Options(given) if base is None else base.over(given)

    def _job(self, function: str, raw: bytes, options: Options | None, signature: Signature | None) -> Job[Any]:
        kind = Any if signature is None else signature.returns
        if options is None:
            return Job(_new_id(), function, raw, self.queue, "", (), kind, is_bound=signature is not None)
        delay, fields = options.timing()
        own = bool(options.id)
        id, queue = options.id or _new_id(), options.queue or self.queue
        return Job(id, function, raw, queue, delay, fields, kind, own, signature is not None)

    def _submit(self, job: Job[R]) -> Handle[R]:
        side = self._sync_side()
        if self._checks and not job.is_bound:
            side.follow(side.catalog.check([job]))
        return self._accept(job, *side.submit(job))

    async def _asubmit(self, job: Job[R]) -> Handle[R]:
        side = self._async_side()
        if self._checks and not job.is_bound:
            await side.follow(side.catalog.check([job]))
        return self._accept(job, *await side.submit(job))

    def _accept(self, job: Job[R], word: str, heard: object = None) -> Handle[R]:
        if word == "created" or word == "exists":
            return Handle(self, job.id, job.kind, True, heard)
        from doshit.client.submission import fault

        raise fault(self.keys, job, word)

    def _accept_many(self, jobs: Sequence[Job[R]], words: Sequence[str]) -> list[Handle[R]]:
        handles: list[Handle[R] | None] = []
        first_fault: Exception | None = None
        for job, word in zip(jobs, words, strict=True):
            try:
                handles.append(self._accept(job, word))
            except Exception as fault:
                handles.append(None)
                first_fault = first_fault or fault
        if isinstance(first_fault, IdConflict):
            raise IdConflict(first_fault.id, handles)
        if first_fault is not None:
            raise first_fault
        return [handle for handle in handles if handle is not None]

    # Connections

    def _sync_side(self) -> SyncSide:
        here = self._sync
        if here is not None and here[0] is _process:
            return here[1]
        from doshit.client.sync_side import SyncSide

        with _process.lock:
            if self._sync is None or self._sync[0] is not _process:
                self._sync = _process, SyncSide(self.url, self.keys)
            return self._sync[1]

    def _async_side(self) -> AsyncSide:
        import asyncio

        from doshit.client.async_side import AsyncSide

        loop = asyncio.get_running_loop()
        with _process.lock:
            if self._async is None or self._async[0] is not _process:
                self._async = _process, {}
            sides = self._async[1]
            if loop not in sides:
                for closed in [other for other in sides if other.is_closed()]:
                    del sides[closed]
                sides[loop] = AsyncSide(self.url, self.keys)
            return sides[loop]

    def close(self) -> None:
        """Closes the connections of this process. What is asked afterwards connects anew."""
        here, self._sync = self._sync, None
        if here is not None and here[0] is _process:
            here[1].close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop, and those that close() closes."""
        import asyncio

        here = self._async
        side = here[1].pop(asyncio.get_running_loop(), None) if here is not None and here[0] is _process else None
        self.close()
        if side is not None:
            await side.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _new_id() -> str:
    # The kernel's randomness: after a fork parent and child never draw the same.
    return uuid7(int(time() * 1000), int.from_bytes(os.urandom(10)) >> 6)


def _listed(jobs: Iterable[Job[R]]) -> list[Job[R]]:
    if not isinstance(jobs, Iterable):
        raise BadArguments(f"enqueue_many: {jobs!r} is no list of jobs; make each with job()")
    listed = list(jobs)
    for at, job in enumerate(listed):
        if not isinstance(job, Job):
            raise BadArguments(f"enqueue_many, place {at}: {job!r} is no job; make each with job()")
    return listed


def _named(function: str, args: object) -> dict[str, Any]:
    if args is None:
        return {}
    if not isinstance(args, Mapping) or not all(isinstance(name, str) for name in args):
        raise BadArguments("args: expected one member per parameter, by name", function)
    return dict(args)
