"""One worker: wires the roles together, turns the loop, and stops in four steps. No user code runs in this process.

A turn: hear children and Redis, settle what ended, claim what there is room for, hand it out, write once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial

from doshit.commands import Claimed
from doshit.errors import ServerError
from doshit.values.keys import Keys
from doshit.values.states import ErrorCode
from doshit.worker.supervisor.auditor import Auditor
from doshit.worker.supervisor.children import Report
from doshit.worker.supervisor.dispatcher import Dispatcher
from doshit.worker.supervisor.duties import Duty, Promoter, Recoverer
from doshit.worker.supervisor.family import Family
from doshit.worker.supervisor.fetcher import Fetcher
from doshit.worker.supervisor.hints import Hints
from doshit.worker.supervisor.membership import Membership
from doshit.worker.supervisor.nursery import Nursery
from doshit.worker.supervisor.reloader import Reloader
from doshit.worker.supervisor.session import Session
from doshit.worker.supervisor.settings import Settings
from doshit.worker.supervisor.settler import Settler
from doshit.worker.supervisor.waits import Wait
from doshit.worker.supervisor.watcher import READ, WRITE, Watcher
from doshit.worker.wire import FAILED

log = logging.getLogger("doshit.worker")

NAP = 0.001  # seconds between two looks at children that run many short tasks
_BULK = 8  # runs a batch from which children are looked at by the clock, not at each report
_FLUSH_AT = 64  # ends that are sent without waiting for more
_CLOSE_WITHIN = 5.0  # seconds for the last words to Redis
_IDLE_TICK = 0.2


class Supervisor:
    """A worker from its first claim to its last word. run() returns the exit code."""

    def __init__(
        self,
        settings: Settings,
        nursery: Nursery,
        url: str,
        prefix: str,
        queues: tuple[str, ...],
        concurrency: int,
    ) -> None:
        self._settings = settings
        keys = self._keys = Keys(prefix)
        self._all, self._core = Watcher(), Watcher()
        self._wakeup, self._wake_end = socket.socketpair()
        self._wake_end.setblocking(False)
        self.dispatcher = Dispatcher()
        self.session = Session(url, "doshit-worker", self._wake)
        self.membership = Membership(self.session, keys, queues, concurrency)
        self.settler = Settler(self.session, keys, lambda: self.membership.id, settings.result_ttl)
        self.fetcher = Fetcher(self.session, keys, queues, self.dispatcher, settings.result_ttl)
        self.fetcher.waits = [
            Wait(url, keys, queue, self.fetcher.arrived, self.fetcher.look_again, self._wake) for queue in queues
        ]
        self.hints = Hints(url, keys, self._hinted, self._wake)
        self.family = Family(settings, nursery, concurrency, self.dispatcher.children, self._all)
        self.duties: tuple[Duty, ...] = (
            *([Reloader(lambda: self.family.nursery.hello["files"], self.family.reload)] if settings.reload else []),
            self.hints,
            Promoter(self.session, keys),
            Recoverer(self.session, keys, settings.result_ttl),
        )
        self.auditor = Auditor(
            self.session, keys, lambda: self.membership.id, self.dispatcher.ids, lambda: not self._on_its_way()
        )
        self._talkers: tuple[Session | Hints | Wait, ...] = (self.session, self.hints, *self.fetcher.waits)
        self._listening: dict[object, tuple[int, int, int]] = {}
        self._heeded = self._signals = 0
        self._stop_by: float | None = None
        self._connect_roles()

    def _connect_roles(self) -> None:
        self.family.on_reports = self._reported
        self.family.on_unbegun = self._unbegun
        self.family.on_blamed = self._blamed
        self.family.on_interrupted = lambda tasks: self.settler.release(tasks, begun=True)
        self.family.on_born = self._reborn
        self.session.on_up = self.fetcher.look_again
        self.fetcher.on_tasks = self._claimed
        self.fetcher.on_lost_id = lambda state: self._sealed() if state == "sealed" else self.membership.register()
        self.membership.on_sealed = self._sealed
        self.membership.on_held = self.auditor.compare

    def prepare(self) -> None:
        """Connects, registers and has the children born. Raises ServerError."""
        self.session.connect()
        self._publish()
        self.fetcher.begin(self.membership.id)
        for watcher in (self._all, self._core):
            watcher.watch(self._wakeup, self._wakeup.fileno(), READ, self._woken)
        self.family.begin()

    def _publish(self) -> None:
        """Tells Redis, and itself, which functions are served."""
        self._functions = self.family.nursery.functions
        self.membership.publish(self.family.nursery.hello["catalog"])
        self.membership.register()

    def _reborn(self) -> None:
        self._publish()
        log.info("%s is imported anew", self._settings.target)

    def run(self) -> int:
        """Serves until it is told to stop, or, in burst mode, until the queues are empty."""
        while not self._finished():
            self.turn(time.monotonic())
        return self._close()

    def turn(self, now: float) -> None:
        """One turn of the loop: what somebody waits for goes out first, house-keeping is done while they work."""
        self._heed_signals(now)
        self._listen()
        self._hear(now)
        now = time.monotonic()
        self._pass_on(now)
        self._keep_house(now)

    def _pass_on(self, now: float) -> None:
        self.dispatcher.dispatch(now)
        if self._should_settle(now):
            self.settler.flush(now)
        self.fetcher.claim(now)
        self.session.flush()
        self.fetcher.wait(now)

    def _keep_house(self, now: float) -> None:
        self.session.tick(now)
        if self.session.is_up:
            self.membership.tick(now)
            for duty in self.duties:
                duty.tick(now)
        self.family.tick(now)
        self.settler.tick(now)
        self._move_on(now)
        self.session.flush()

    def _move_on(self, now: float) -> None:
        """What waits behind long runs goes to idle children, or back to Redis."""
        self.dispatcher.steal(now)
        self.dispatcher.dispatch(now)
        stuck = self.dispatcher.stuck(now)
        if stuck:
            self.settler.release(stuck)

    def _hear(self, now: float) -> None:
        if self._in_bulk():
            self._core.wait(NAP)
            self.family.read_all()
        else:
            self._all.wait(self._patience(now))

    def _in_bulk(self) -> bool:
        """Children have many short runs before them: waking at each report would cost more than the runs."""
        children = self.dispatcher.children.values()
        if self.dispatcher.estimate.batch() < _BULK or any(c.idle or c.gone or c.wants_write for c in children):
            return False
        return any(len(child.runs) > 1 for child in children)

    def _should_settle(self, now: float) -> bool:
        """A lone result goes at once; under load results go together."""
        waiting = self.settler.waiting()
        if not waiting or self._stop_by is not None:
            return bool(waiting)
        return waiting >= _FLUSH_AT or self.settler.age(now) >= NAP or not self._in_bulk()

    def _patience(self, now: float) -> float:
        if self.settler.waiting() or self.fetcher.has_moved:
            return NAP
        return min(_IDLE_TICK, self.dispatcher.wake_in(now))

    def _listen(self) -> None:
        """Keeps the watchers in step with connections that come and go."""
        for role in self._talkers:
            link = role.link
            events = (READ | WRITE if link.wants_write else READ) if link.is_open else 0
            state = (events, link.fileno(), link.made)
            if self._listening.get(role) != state:
                self._listening[role] = state
                for watcher in (self._all, self._core):
                    watcher.forget(role)
                    if events:
                        watcher.watch(role, link.fileno(), events, partial(self._talk, role))

    def _talk(self, role: Session | Hints | Wait, events: int) -> None:
        if events & WRITE:
            self.session.flush()
        if events & READ:
            role.receive()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full is as good as written
            self._wake_end.send(b"\0")

    def _woken(self, mask: int) -> None:
        self._wakeup.recv(4096)

    # What roles say to each other.

    def _claimed(self, tasks: list[Claimed]) -> None:
        if self._stop_by is not None:
            self.settler.release(tasks)
            return
        strange = [task for task in tasks if task.function not in self._functions]
        if strange:
            self.settler.park(strange, self._settings.unknown_grace, self._functions)
            tasks = [task for task in tasks if task.function in self._functions]
        self.dispatcher.add(tasks)

    def _reported(self, reports: list[Report]) -> None:
        for report in reports:
            self.dispatcher.learn(report)
            self.settler.end(report)
            if report[1] == FAILED:
                log.info("task %s failed: %s: %s", _name(report[0]), *report[3][:2])
            elif self._settings.verbose:
                log.debug("task %s done in %.1f ms", _name(report[0]), report[2] / 1000)

    def _blamed(self, task: Claimed, how: str) -> None:
        log.warning("task %s: %s", _name(task), how)
        self.settler.fail(task, ErrorCode.EXITED, how)

    def _unbegun(self, tasks: list[Claimed]) -> None:
        if self._stop_by is not None:
            self.settler.release(tasks)
        else:
            self.dispatcher.ready.extendleft(reversed(tasks))

    def _sealed(self) -> None:
        """It was taken for dead and its tasks run elsewhere: its own runs end, and it starts under a new name."""
        log.warning("this worker was taken for dead; it ends its runs and starts again under a new name")
        # What it gives back now goes out under its old name, which Redis answers with "stale".
        self.family.lose_all()
        self.settler.release(self.dispatcher.take_all_back())
        self.settler.flush(time.monotonic())
        self.membership.begin_again()
        self.fetcher.begin(self.membership.id)

    def _hinted(self, message: bytes) -> None:
        if message.startswith(b"parked "):
            self.fetcher.look_again()

    # Stopping, in four steps: fetch no more, let runs end, hand back, close.

    def on_signal(self) -> None:
        """Only counts: a handler runs between any two steps of the loop, which then finds the count."""
        self._signals += 1
        self._wake()

    def _heed_signals(self, now: float) -> None:
        """The first signal stops; the second hands back what still runs now."""
        if self._heeded == self._signals:
            return
        if self._stop_by is None:
            self.stop(self._settings.grace)
        if self._signals > 1:
            self._stop_by = now
        self._heeded = self._signals

    def stop(self, grace: float) -> None:
        """Fetches no more; runs get so many seconds to end."""
        log.info("stopping%s", f": runs get {grace:g} s to end; again to hand them back now" if grace else "")
        self.fetcher.stopped = True
        self.family.wanted = 0
        self._stop_by = time.monotonic() + grace
        self.settler.release(self.dispatcher.take_all_back(leave_one=True))

    def _finished(self) -> bool:
        now = time.monotonic()
        if self.family.given_up and self._stop_by is None:
            log.error("stopping: %s", self.family.given_up)
            self.stop(0.0)
        if self._stop_by is None:
            if self._settings.burst and self.fetcher.drained and self._is_at_rest():
                self.stop(0.0)
            return False
        if not self.dispatcher.outstanding():
            self._stop_by = min(self._stop_by, now)  # only Redis is waited for: that has its own limit
        elif now >= self._stop_by:
            self._hand_back()
        if now >= self._stop_by + _CLOSE_WITHIN:
            return True
        return self._is_at_rest() and not any(wait.armed for wait in self.fetcher.waits)

    def _on_its_way(self) -> bool:
        """Is there a call under way that changes what this worker holds?"""
        return bool(self.settler.unsettled or self.fetcher.in_flight or self.fetcher.has_moved)

    def _is_at_rest(self) -> bool:
        return not self.dispatcher.outstanding() and not self._on_its_way()

    def _hand_back(self) -> None:
        running = self.dispatcher.outstanding()
        log.info("handing back %d running tasks; they run again elsewhere", running)
        self.family.lose_all()

    def _close(self) -> int:
        self.membership.leave()
        deadline = time.monotonic() + 1.0
        while self.session.in_flight and self.session.is_up and time.monotonic() < deadline:
            self.session.flush()
            self._listen()
            self._core.wait(0.05)
        self.family.close()
        listeners: tuple[Hints | Wait, ...] = (self.hints, *self.fetcher.waits)
        for listener in listeners:
            listener.close()
        self.session.close()
        log.info("stopped")
        return 1 if self.family.given_up else 0


def _name(task: Claimed) -> str:
    return f"{task.id.decode(errors='backslashreplace')} {task.function.decode(errors='backslashreplace')}"


def install_signals(on_signal: Callable[[], None], fork_server: Callable[[], int]) -> None:
    """TERM and INT stop; as PID 1 of a container, CHLD reaps the orphans that it inherits."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: on_signal())
    if os.getpid() == 1:
        signal.signal(signal.SIGCHLD, lambda number, frame: reap_strangers(fork_server()))


def reap_strangers(mine: int) -> None:
    """Waits for every ended process but the fork server, whose end the family hears of."""
    with contextlib.suppress(ChildProcessError):
        while (info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if info.si_pid == mine:
                return
            os.waitpid(info.si_pid, os.WNOHANG)


def serve(settings: Settings, supervisor: Supervisor) -> int:
    """Runs a prepared supervisor with its signals in place. Raises ServerError if it cannot start."""
    install_signals(supervisor.on_signal, lambda: supervisor.family.nursery.pid)
    try:
        supervisor.prepare()
    except ServerError:
        supervisor.family.close()
        raise
    return supervisor.run()
