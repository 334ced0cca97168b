"""Runs many `async def` tasks at once, in one event loop. A run is begun when its job has come; none is taken back.

A run here can be asked to end, not killed by itself: the supervisor kills the whole process then, and the neighbours go
back. So what needs a process of its own (`alone`, a memory limit, `fresh`) never comes here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from contextvars import ContextVar

from doshit.client.current import CurrentTask, enter_run, mark_cancelled
from doshit.worker.child.outbox import Outbox
from doshit.worker.child.output import Output
from doshit.worker.child.work import Outcome, Work, stop_error
from doshit.worker.wire import CANCELLED, READ_SIZE, FrameReader, Job, Wishes, read_orders

_sequence: ContextVar[int] = ContextVar("doshit_run", default=0)


def running() -> int:
    """The sequence number of the run in whose context this is asked, 0 for none."""
    return _sequence.get()


class Many:
    """Serves one channel until it closes."""

    def __init__(self, channel: socket.socket, orders: int, work: Work, outbox: Outbox, output: Output) -> None:
        self._channel, self._orders = channel, orders
        self._work, self._outbox, self._output = work, outbox, output
        self._reader = FrameReader()
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._currents: dict[int, CurrentTask] = {}
        self._stopped: dict[int, int] = {}
        self._on_end: Callable[[Job, int], None] = lambda job, micros: None

    def serve(self, on_end: Callable[[Job, int], None]) -> None:
        """on_end hears of each run that is over, with its microseconds."""
        self._on_end = on_end
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._channel, self._hear)
        signal.signal(signal.SIGUSR2, lambda number, frame: loop.call_soon_threadsafe(self._heed))
        await self._closed.wait()
        loop.remove_reader(self._channel)
        os._exit(0)  # the supervisor is gone or wants no more: nobody hears what is still running

    def _hear(self) -> None:
        data = self._channel.recv(READ_SIZE)
        if not data:
            self._closed.set()
        for batch in self._reader.feed(data):
            for job in batch:
                self._runs[job[0]] = asyncio.create_task(self._run(job))

    def _heed(self) -> None:
        """Reads the orders that have come. One that names a run that is over came too late."""
        try:
            data = os.read(self._orders, 4096)
        except BlockingIOError:
            return
        for sequence, why in read_orders(data):
            run = self._runs.get(sequence)
            if run is not None:
                self._stopped[sequence] = why
                if why == CANCELLED and sequence in self._currents:
                    mark_cancelled(self._currents[sequence])
                run.cancel()

    async def _run(self, job: Job) -> None:
        sequence, id, name, raw, claim, attempt, wished = job
        wishes = Wishes(*wished) if wished is not None else Wishes(None, None, None, None)
        deadline = None if wishes.time_limit is None else time.monotonic() + wishes.time_limit
        _sequence.set(sequence)
        self._currents[sequence] = enter_run((id, name, claim, attempt, deadline, wishes.username, wishes.traceparent))
        begun = time.perf_counter_ns()
        kind, payload = await self._outcome(sequence, name, raw)
        micros = (time.perf_counter_ns() - begun) // 1000
        self._output.end(sequence)
        self._outbox.send((sequence, kind, micros, payload))
        for known in (self._runs, self._currents, self._stopped):
            known.pop(sequence, None)
        self._on_end(job, micros)

    async def _outcome(self, sequence: int, name: bytes, raw: bytes) -> Outcome:
        try:
            task = self._work.tasks[name]
            positional, keywords = task.signature.decode(raw)
            return self._work.close(await task.function(*positional, **keywords), name)
        except BaseException as error:  # a task may raise anything; nothing escapes
            stopped = self._stopped.get(sequence, 0)
            if stopped and isinstance(error, asyncio.CancelledError):
                error = stop_error(stopped).with_traceback(error.__traceback__)
            return self._work.failed(error, name, stopped)
