"""A task before it is in Redis: what there is to say about it. Sends nothing, and costs nothing to import."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


class Job(Generic[R_co]):
    """A task that is ready to be submitted; its arguments are bound and checked.

    delay: seconds, "" for none, or "front"; kind: what its result is read as, Any for plain JSON; own_id: the id was
    given, so the task may be there already; is_bound: its arguments were judged by a signature that is here.
    """

    __slots__ = ("args", "delay", "fields", "function", "id", "is_bound", "kind", "own_id", "queue")

    def __init__(
        self,
        id: str,
        function: str,
        args: bytes,
        queue: str,
        delay: str = "",
        fields: tuple[str, ...] = (),
        kind: Any = Any,
        own_id: bool = False,
        is_bound: bool = False,
    ) -> None:
        self.id, self.function, self.args, self.queue = id, function, args, queue
        self.delay, self.fields, self.kind = delay, fields, kind
        self.own_id, self.is_bound = own_id, is_bound

    def __repr__(self) -> str:
        return f"Job({self.id!r}, {self.function!r})"
