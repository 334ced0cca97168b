"""The life of one child: hooks, then token, job, report, again and again, until it is told to end or is worn."""

from __future__ import annotations

import os
import select
import socket
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from doshit.worker.child.run import Runner
from doshit.worker.process import resident_bytes
from doshit.worker.wire import (
    BROKEN,
    READ_SIZE,
    READY,
    RECYCLE,
    TOKEN_BYTES,
    FrameReader,
    Job,
    frame,
)

_LOOK_EVERY = 64  # runs between two looks at the memory


@dataclass(frozen=True)
class Wear:
    """When a child has served enough: after so many runs (None: never), or bytes of growth since its first task."""

    runs: int | None = None
    growth: int = 256 << 20


class Child:
    """One warm process. channel: the framed stream to the supervisor; token_pipe: where runs begin, never blocking."""

    def __init__(self, channel: socket.socket, token_pipe: int, runner: Runner, wear: Wear) -> None:
        self._channel, self._token_pipe, self._runner, self._wear = (
            channel,
            token_pipe,
            runner,
            wear,
        )
        self._pid = os.getpid()
        self._jobs: dict[int, Job] = {}
        self._reader = FrameReader()
        self._poll = select.poll()
        self._poll.register(token_pipe, select.POLLIN)

    def serve(self, hooks: Sequence[Callable[[], Any]]) -> None:
        """Returns when the supervisor has closed the pipe, or this child is worn."""
        try:
            for hook in hooks:
                hook()
        except BaseException:  # whatever a hook raises is told to the supervisor
            self._channel.sendall(frame((0, BROKEN, 0, traceback.format_exc())))
            return
        self._channel.sendall(frame((0, READY, 0, None)))
        self._run_until_worn()

    def _run_until_worn(self) -> None:
        served, size, run, send = (
            0,
            resident_bytes(),
            self._runner.run,
            self._channel.sendall,
        )
        while (sequence := self._next_token()) is not None:
            job = self._job(sequence)
            if job is None:
                return
            report = run(job)
            if os.getpid() != self._pid:
                os._exit(0)  # a copy that the task forked and did not end: only the first process speaks
            send(frame(report))
            served += 1
            worn = self._worn(served, size)
            if worn:
                send(frame((0, RECYCLE, 0, worn)))
                return

    def _next_token(self) -> int | None:
        while True:
            try:
                token = os.read(self._token_pipe, TOKEN_BYTES)
            except BlockingIOError:
                self._poll.poll()
                continue
            return int.from_bytes(token, "little") if token else None

    def _job(self, sequence: int) -> Job | None:
        """The job of a token. Those before it were taken back: the supervisor sends and takes in order."""
        jobs = self._jobs
        while sequence not in jobs:
            data = self._channel.recv(READ_SIZE)
            if not data:
                return None
            for batch in self._reader.feed(data):
                for job in batch:
                    jobs[job[0]] = job
        for earlier in list(jobs):
            if earlier >= sequence:
                break
            del jobs[earlier]
        return jobs.pop(sequence)

    def _worn(self, served: int, size: int) -> str:
        if self._wear.runs is not None and served >= self._wear.runs:
            return f"{served} runs"
        if served % _LOOK_EVERY == 0 and resident_bytes() - size > self._wear.growth:
            return f"grew by over {self._wear.growth >> 20} MiB in {served} runs"
        return ""
