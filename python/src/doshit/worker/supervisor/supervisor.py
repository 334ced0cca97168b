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
from doshit.worker.supervisor.auditor import Auditor
from doshit.worker.supervisor.children import Report, Told
from doshit.worker.supervisor.dispatcher import Dispatcher
from doshit.worker.supervisor.duties import Canceller, Duty, Promoter, Recoverer
from doshit.worker.supervisor.endings import Endings, name_of
from doshit.worker.supervisor.family import Family
from doshit.worker.supervisor.fetcher import Fetcher
from doshit.worker.supervisor.hints import Hints
from doshit.worker.supervisor.limiter import Limiter
from doshit.worker.supervisor.logs import about
from doshit.worker.supervisor.membership import Membership
from doshit.worker.supervisor.notes import Notes
from doshit.worker.supervisor.nursery import Nursery
from doshit.worker.supervisor.policies import Policies
from doshit.worker.supervisor.predecessors import Predecessors
from doshit.worker.supervisor.reloader import Reloader
from doshit.worker.supervisor.session import Session
from doshit.worker.supervisor.settings import Settings
from doshit.worker.supervisor.settler import Settler
from doshit.worker.supervisor.waits import Wait
from doshit.worker.supervisor.watcher import READ, WRITE, Watcher

log = logging.getLogger("doshit.worker")

NAP = 0.001  # seconds between two looks at children that run many short tasks
_HOUSE_EVERY = 0.002  # seconds between two rounds of house-keeping, which costs more than a short run
_BULK = 8  # runs a batch from which children are looked at by the clock, not at each report
_AWAKE = 0.0001  # seconds that the next step of a lone task is looked for before this process sleeps
_FLUSH_AT = 64  # ends that are sent without waiting for more
_CLOSE_WITHIN = 5.0  # seconds for the last words to Redis
_IDLE_TICK = 0.1
_LIVE_TICK = 0.05  # while a run lasts: what it writes is to be seen
_SILENCE = 15.0  # seconds without a sign of Redis's host after which this worker's runs may have been given to others


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
        self.policies = Policies(settings.time_limit_cap, settings.memory_limit_cap)
        self.dispatcher = Dispatcher(self.policies)
        self.limiter = Limiter(self.dispatcher.children)
        self.session = Session(url, "doshit-worker", self._wake, prefix)
        self.membership = Membership(self.session, keys, queues, concurrency)
        self.settler = Settler(self.session, keys, lambda: self.membership.id, settings.result_ttl)
        self.notes = Notes(self.session, keys, lambda: self.membership.id, settings.output_cap)
        self.endings = Endings(self.settler, self.policies, self.notes.close)
        self.fetcher = Fetcher(self.session, keys, queues, self.dispatcher, settings.result_ttl, settings.args_cap)
        self.fetcher.waits = [Wait(url, keys, queue, self._wake) for queue in queues]
        self.hints = Hints(url, keys, self._hinted, self._wake)
        self.family = Family(settings, nursery, concurrency, self.dispatcher.children, self._all)
        self.canceller = Canceller(self.session, keys, settings.result_ttl)
        self.promoter = Promoter(self.session, keys, self.canceller.look)
        self.duties: tuple[Duty, ...] = (
            *([Reloader(lambda: self.family.nursery.hello["files"], self.family.reload)] if settings.reload else []),
            self.hints,
            self.promoter,
            Recoverer(self.session, keys, settings.result_ttl),
        )
        self.predecessors = Predecessors(self.session, keys)
        self.auditor = Auditor(
            self.session, keys, lambda: self.membership.id, self.dispatcher.ids, lambda: not self._on_its_way(),
            self.fetcher.is_coming,
        )  # fmt: skip
        self._talkers: tuple[Session | Hints | Wait, ...] = (self.session, self.hints, *self.fetcher.waits)
        self._listening: dict[object, tuple[int, int, int]] = {}
        self._heeded = self._signals = 0
        self._more_output = False
        self._house_at = 0.0
        self._put_off = False
        self._stop_by: float | None = None
        self._connect_roles()

    def _connect_roles(self) -> None:
        self.family.on_told = self._told
        self.family.on_reports = self._reported
        self.family.on_unbegun = self._unbegun
        self.family.on_blamed = self.endings.died
        self.family.on_interrupted = self._interrupted
        self.family.on_born = self._reborn
        self.dispatcher.on_used = self.family.retire
        self.session.on_up = self.fetcher.look_again
        self.fetcher.on_tasks = self._claimed
        self.fetcher.on_lost_id = lambda state: self._sealed() if state == "sealed" else self.membership.register()
        self.membership.on_sealed = self._sealed
        self.membership.on_held = self.auditor.compare
        self.membership.on_stops = self._asked_to_stop

    def prepare(self) -> None:
        """Connects, registers and has the children born. Raises ServerError."""
        self.session.connect()
        self._publish()
        self.fetcher.begin(self.membership.id)
        for watcher in (self._all, self._core):
            watcher.watch(self._wakeup, self._wakeup.fileno(), READ, self._woken)
        self.family.begin()
        self.predecessors.look()

    def _publish(self) -> None:
        """Tells Redis, and itself, which functions are served."""
        self._functions = self.family.nursery.functions
        self.policies.take(self.family.nursery.hello["policies"])
        self.family.slots = self._settings.async_slots if self.policies.any_shared else 0
        self.membership.publish(self.family.nursery.hello["catalog"])
        self.membership.register()

    def _reborn(self) -> None:
        self._publish()
        log.info("%s is imported anew", " ".join(self._settings.targets))

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
        self._put_off = now < self._house_at
        if not self._put_off:
            self._house_at = now + _HOUSE_EVERY
            self._keep_house(now)

    def _pass_on(self, now: float) -> None:
        self.dispatcher.dispatch(now)
        if self._should_settle(now):
            self.settler.flush(now)
        room = self.fetcher.room(now)
        self.fetcher.claim(room, now)
        self.session.flush()
        self.fetcher.wait(room, now)

    def _keep_house(self, now: float) -> None:
        self.session.tick(now)
        if self.session.is_up:
            self.membership.tick(now)
            for duty in self.duties:
                duty.tick(now)
        self.limiter.tick(now)
        self._more_output = self.notes.listen(self.dispatcher.children, now)
        self.notes.tick(now)
        self.family.tick(now)
        self.settler.tick(now)
        self._mind_silence(now)
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
            self._all.wait(self._patience(now), _AWAKE if self._awaits_one() else 0.0)

    def _awaits_one(self) -> bool:
        """Is there one task on its way and no other? Then somebody waits for it, and the next step comes soon."""
        return self.fetcher.in_flight + self.dispatcher.outstanding() + self.settler.unsettled == 1

    def _in_bulk(self) -> bool:
        """Children have many short runs before them: waking at each report would cost more than the runs."""
        children = [child for child in self.dispatcher.children.values() if not child.slots]
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
        if self.settler.waiting() or self._more_output:
            return NAP
        if self._put_off:
            return max(0.0, self._house_at - now)
        tick = _LIVE_TICK if any(child.runs for child in self.dispatcher.children.values()) else _IDLE_TICK
        if self.session.is_up:
            tick = min(tick, self.promoter.wake_in(now))
        return min(tick, self.dispatcher.wake_in(now), self.limiter.wake_in(now))

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

    def _told(self, told: list[Told]) -> None:
        self.notes.take(told)
        self.endings.take(told)

    def _reported(self, reports: list[Report]) -> None:
        for report in reports:
            self.dispatcher.learn(report)
            self.endings.reported(report)
            if self._settings.verbose:
                task, micros = report[0], report[2]
                log.debug("task %s ended after %.1f ms", name_of(task), micros / 1000, extra=about(task.id))

    def _interrupted(self, tasks: list[Claimed]) -> None:
        for task in tasks:
            self.notes.close(task.claim)
        self.settler.release(tasks, begun=True)

    def _asked_to_stop(self, claims: list[bytes]) -> None:
        """Somebody cancelled tasks that this worker holds: what has not begun ends at once, what runs is told to."""
        wanted = set(claims)
        back = self.dispatcher.take_all_back()
        for task in back:
            if task.claim in wanted:
                self.endings.cancelled(task)
        self.dispatcher.put_back(task for task in back if task.claim not in wanted)
        self.limiter.cancel(wanted, time.monotonic())

    def _unbegun(self, tasks: list[Claimed]) -> None:
        if self._stop_by is not None:
            self.settler.release(tasks)
        else:
            self.dispatcher.put_back(tasks)

    def _sealed(self) -> None:
        log.warning("this worker was taken for dead; it ends its runs and starts again under a new name")
        self._begin_again()

    def _mind_silence(self, now: float) -> None:
        """After a long silence the lease is over, for all this worker can know. A Redis that refuses is no silence."""
        if self.dispatcher.outstanding() and now - self.session.heard_at > _SILENCE:
            log.warning("no sign of Redis for %g s; the runs of this worker are ended, others may have them", _SILENCE)
            self._begin_again()

    def _begin_again(self) -> None:
        """Its tasks run elsewhere, or will: its own runs end, and it starts under a new name."""
        # What it gives back now goes out under its old name, which Redis answers with "stale".
        self.family.lose_all()
        self.settler.release(self.dispatcher.take_all_back())
        self.settler.flush(time.monotonic())
        self.membership.begin_again()
        self.fetcher.begin(self.membership.id)

    def _hinted(self, message: bytes) -> None:
        verb, _, about = message.partition(b" ")
        if verb == b"parked":
            self.fetcher.look_again()
        elif verb == b"stop" and about == self.membership.id.encode():
            self.membership.beat_now()

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
        self.family.wanted = self.family.slots = 0
        self._stop_by = time.monotonic() + grace
        self.settler.release(self.dispatcher.take_all_back(leave_one=True))

    def _finished(self) -> bool:
        now = time.monotonic()
        if self.family.given_up and self._stop_by is None:
            log.error("stopping: %s", self.family.given_up)
            self.stop(0.0)
        if self._stop_by is None:
            if self._settings.burst and self._is_done(now):
                self.stop(0.0)
            return False
        if not self.dispatcher.outstanding():
            self._stop_by = min(self._stop_by, now)  # only Redis is waited for: that has its own limit
        elif now >= self._stop_by:
            self._hand_back()
        if now >= self._stop_by + _CLOSE_WITHIN:
            return True
        return self._is_at_rest() and not any(wait.armed for wait in self.fetcher.waits)

    def _is_done(self, now: float) -> bool:
        """Are the queues empty, and will be when what killed workers of this host held has come back?"""
        return self.fetcher.drained and self._is_at_rest() and self.predecessors.are_back(now)

    def _on_its_way(self) -> bool:
        """Is there a call under way that changes what this worker holds?"""
        return bool(self.settler.unsettled or self.fetcher.in_flight)

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
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # it has obeyed: one more must not end it by itself now
        log.info("stopped")
        return 1 if self.family.given_up else 0


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
