"""The life of one child: hooks, then token, job, report, again and again, until it is told to end or is worn."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque
from typing import NamedTuple

from doshit.client import Doshit
from doshit.client.current import set_progress_sink
from doshit.worker.child import many
from doshit.worker.child.explain import trace
from doshit.worker.child.outbox import Outbox
from doshit.worker.child.output import Output, RawPipes
from doshit.worker.child.run import Runner
from doshit.worker.child.tidy import Tidy
from doshit.worker.child.work import Work
from doshit.worker.process import adopt_orphans, resident_bytes
from doshit.worker.wire import (
    BROKEN,
    OUTPUT,
    PROGRESS,
    READ_SIZE,
    READY,
    RECYCLE,
    TOKEN_BYTES,
    USAGE,
    FrameReader,
    Job,
    Terms,
    read_orders,
)

_LOOK_EVERY = 64  # runs between two looks at the memory


class Descriptors(NamedTuple):
    """What the supervisor hands to a new child: the framed stream, and the pipes of tokens, of orders and of output."""

    channel: int
    tokens: int
    orders: int
    read_out: int
    read_err: int
    write_out: int
    write_err: int


class Child:
    """One warm process, running one task at a time, or many `async def` ones at once."""

    def __init__(self, descriptors: Descriptors, app: Doshit, terms: Terms, is_many: bool) -> None:
        self._channel = socket.socket(fileno=descriptors.channel)
        self._descriptors, self._app, self._terms = descriptors, app, terms
        self._outbox = Outbox(self._channel)
        self._is_many, self._work = is_many, Work(app.registry, terms)
        self._runner = Runner(self._work, self._outbox.interrupt)
        self._running = many.running if is_many else lambda: self._runner.running
        self._output = Output(self._tell, self._running, terms.output_cap)
        self._pid = os.getpid()
        self._jobs: deque[Job] = deque()
        self._reader = FrameReader()
        self._poll = select.poll()
        self._poll.register(descriptors.tokens, select.POLLIN)

    def serve(self) -> None:
        """Returns when the supervisor has closed the pipe, or this child is worn."""
        adopt_orphans()
        try:
            for hook in self._app.child_start_hooks:
                hook()
        except BaseException as error:  # whatever a hook raises is told to the supervisor
            self._outbox.send((0, BROKEN, 0, trace(error, self._terms.traceback_cap)))
            return
        if self._terms.output_cap:  # not before the hooks: what they write is no run's, and they may set up logging
            self._output.take_over(RawPipes(*self._descriptors[3:]), drains=not self._is_many)
        set_progress_sink(lambda told: self._outbox.send((self._running(), PROGRESS, 0, told)))
        signal.signal(signal.SIGUSR2, lambda number, frame: self._heed())
        self._outbox.send((0, READY, 0, None))
        if self._is_many:
            self._run_many()
        else:
            self._run_until_worn()

    def _tell(self, sequence: int, stream: str, text: str | bytes) -> None:
        if isinstance(text, str):
            text = text.encode("utf-8", "backslashreplace").decode()
        self._outbox.send((sequence, OUTPUT, 0, (stream, time.time_ns() // 1000, text)))

    def _heed(self) -> None:
        """Reads the orders that have come. One that names another run than the present one came too late."""
        try:
            data = os.read(self._descriptors.orders, 4096)
        except BlockingIOError:
            return
        for sequence, why in read_orders(data):
            self._runner.stop(sequence, why)

    def _run_until_worn(self) -> None:
        served, size, tidy = 0, resident_bytes(), Tidy(self._output.discard)
        runner, output, pid, recycle_runs = self._runner, self._output, self._pid, self._terms.recycle_runs
        while (sequence := self._next_token()) is not None:
            job = self._job(sequence)
            if job is None:
                return
            report = runner.run(job)
            if os.getpid() != pid:
                os._exit(0)  # a copy that the task forked and did not end: only the first process speaks
            self._outbox.calm()
            output.end(sequence)
            if runner.usage is not None:
                self._outbox.send((sequence, USAGE, 0, runner.usage))
            worn = tidy.after(job[2], report[2])  # first: who hears of the end may count on it that nothing runs on
            self._outbox.report(report)
            served += 1
            if not worn and (recycle_runs is not None or not served % _LOOK_EVERY):
                worn = self._worn(served, size)
            if worn:
                self._outbox.send((0, RECYCLE, 0, worn))
                return

    def _run_many(self) -> None:
        served, size = 0, resident_bytes()

        def on_end(job: Job, micros: int) -> None:
            nonlocal served
            served += 1
            if worn := self._worn(served, size):
                self._outbox.send((0, RECYCLE, 0, worn))  # what runs goes on; the supervisor gives it nothing more

        many.Many(self._channel, self._descriptors.orders, self._work, self._outbox, self._output).serve(on_end)

    def _next_token(self) -> int | None:
        while True:
            try:
                token = os.read(self._descriptors.tokens, TOKEN_BYTES)
            except BlockingIOError:
                self._poll.poll()
                continue
            return int.from_bytes(token, "little") if token else None

    def _job(self, sequence: int) -> Job | None:
        """The job of a token. Those before it were taken back: the supervisor sends and takes in order."""
        jobs = self._jobs
        while True:
            while jobs:
                job = jobs.popleft()
                if job[0] == sequence:
                    return job
            data = self._channel.recv(READ_SIZE)
            if not data:
                return None
            for batch in self._reader.feed(data):
                jobs.extend(batch)

    def _worn(self, served: int, size: int) -> str:
        runs, growth = self._terms.recycle_runs, self._terms.recycle_growth
        if runs is not None and served >= runs:
            return f"{served} runs"
        if served % _LOOK_EVERY == 0 and resident_bytes() - size > growth:
            return f"grew by over {growth >> 20} MiB in {served} runs"
        return ""
