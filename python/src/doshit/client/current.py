"""What a run can know of itself, and tell of itself. Set by the child that runs it; reads nothing from Redis."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

PROGRESS_TEXT = 1000
"""Characters of a progress text that are kept."""


class CurrentTask:
    """The run this code is part of.

    deadline: when its time is up, by the clock of time.monotonic(), so deadline - time.monotonic() are the seconds
    left; None without a time limit.
    """

    __slots__ = ("_attempt", "_cancelled", "_claim", "_function", "_id", "_traceparent", "_username", "deadline")

    def __init__(
        self,
        id: bytes,
        function: bytes,
        claim: bytes,
        attempt: bytes,
        deadline: float | None = None,
        username: bytes | None = None,
        traceparent: bytes | None = None,
    ) -> None:
        # Bytes as they came from Redis, since few runs ask for any of it.
        self._id, self._function, self._claim, self._attempt = id, function, claim, attempt
        self.deadline, self._username, self._traceparent = deadline, username, traceparent
        self._cancelled = False

    @property
    def id(self) -> str:
        """The task's id, the same in every run of it."""
        return _text(self._id)

    @property
    def function(self) -> str:
        """The name of its function."""
        return _text(self._function)

    @property
    def attempt(self) -> int:
        """1 for the first run of the task."""
        return int(self._attempt)

    @property
    def claim(self) -> str:
        """A token that no other run has, of this task or another: what an outside system needs to see a run twice."""
        return _text(self._claim)

    @property
    def username(self) -> str | None:
        """Who asked for the task, where its producer said so."""
        return None if self._username is None else _text(self._username)

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context of its producer, where there is one."""
        return None if self._traceparent is None else _text(self._traceparent)

    @property
    def cancelled(self) -> bool:
        """Whether somebody has asked to cancel this run. TaskCancelled has been raised inside it too."""
        return self._cancelled

    def progress(self, fraction: float | None, text: str = "") -> None:
        """Tells how far this run is, for Handle.progress and `doshit show --follow`.

        fraction: 0 to 1, what lies beyond is brought there; None: unknown. text: one line, cut after 1000 characters.
        Cheap enough for a loop: what comes faster than it can be passed on is told as the latest only.
        """
        if _sink is None:
            return
        told = _running.set(self)  # so that the sink knows the run also when another thread tells
        try:
            _sink(_progress_json(fraction, text))
        finally:
            _running.reset(told)

    def __repr__(self) -> str:
        return f"<run {self.attempt} of task {self.id!r}, {self.function}>"


Running = (
    tuple[bytes, bytes, bytes, bytes]
    | tuple[bytes, bytes, bytes, bytes, float | None]
    | tuple[bytes, bytes, bytes, bytes, float | None, bytes | None, bytes | None]
)
Sink = Callable[[bytes], object]

# The run of this context, where a process has many at once; else the one that the whole process is for. A thread that
# a run starts has no context of it, and finds the second.
_running: ContextVar[CurrentTask | None] = ContextVar("doshit_current_task", default=None)
_process_run: tuple[Running, dict[str, CurrentTask]] | None = None  # made when somebody asks: few runs do
_sink: Sink | None = None


def set_running(running: Running | None) -> None:
    """Says what this whole process runs from now on, one run at a time; None: nothing.

    running: (id, function, claim, attempt) as they came from Redis, then perhaps the deadline, username, traceparent.
    """
    global _process_run
    _process_run = None if running is None else (running, {})


def process_run() -> CurrentTask | None:
    """What this whole process runs: the same object to every thread, and to a signal handler amid this."""
    if _process_run is None:
        return None
    running, made = _process_run
    return made.get("") or made.setdefault("", CurrentTask(*running))


def enter_run(running: Running) -> CurrentTask:
    """The same for one run of many at once: it holds in this context only, and in those copied from it."""
    current = CurrentTask(*running)
    _running.set(current)
    return current


def mark_cancelled(run: CurrentTask) -> None:
    """Makes `cancelled` true, before the run hears of it in another way."""
    run._cancelled = True


def set_progress_sink(sink: Sink | None) -> None:
    """Installs what hears of progress, as JSON for the field `progress`. When called, current_task() is the run."""
    global _sink
    _sink = sink


def current_task() -> CurrentTask | None:
    """The task whose run this code is part of, None outside of a worker's run."""
    return _running.get() or process_run()


def progress(fraction: float | None, text: str = "") -> None:
    """Tells how far the run is that this code is part of, as CurrentTask.progress; outside of a run it does nothing."""
    run = current_task()
    if run is not None:
        run.progress(fraction, text)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _progress_json(fraction: float | None, text: str) -> bytes:
    # Imported here: `import doshit` need not pay for them, and a child has them already.
    from datetime import UTC, datetime

    from doshit.values.codec import encode
    from doshit.values.times import format_timestamp

    if fraction is not None:
        fraction = float(fraction)
        fraction = None if fraction != fraction else min(max(fraction, 0.0), 1.0)
    line = str(text)[:PROGRESS_TEXT].encode("utf-8", "backslashreplace").decode()
    return encode({"fraction": fraction, "text": line, "at": format_timestamp(datetime.now(UTC))})
