"""The children of one worker and their fork server: born, worn, dead, born again. Settles none of their runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from doshit.commands import Claimed
from doshit.worker.supervisor.children import Child, Report, Told
from doshit.worker.supervisor.nursery import Nursery, how_it_ended
from doshit.worker.supervisor.settings import Settings
from doshit.worker.supervisor.watcher import READ, WRITE, Watcher
from doshit.worker.wire import BROKEN, RECYCLE, BrokenFrame

log = logging.getLogger("doshit.worker")

_BROKEN_MOST = 3  # children in a row that could not start
_WORD_MOST = 3.0  # seconds that a fork server may take to tell of a birth or a death
_IMPORT_AGAIN = 2.0  # seconds between two tries to import the target after its fork server died


class Family:
    """children: those that live, by number; wanted: how many ordinary ones there should be; slots: how many runs the
    child for many at once may have, 0: there is none. The supervisor sets the hooks.

    on_told: what runs tell before their end; on_reports: what children reported; on_unbegun: runs taken back;
    on_blamed: a run whose child died, how, the child, and the run's sequence number there;
    on_interrupted: runs whose child died for no fault of theirs; on_born: a new import of the target serves.
    """

    def __init__(
        self, settings: Settings, nursery: Nursery, wanted: int, children: dict[int, Child], watcher: Watcher
    ) -> None:
        self._settings, self.nursery, self.wanted, self.slots = settings, nursery, wanted, 0
        self.children, self._watcher = children, watcher
        self._next: Nursery | None = None
        self._former: list[Nursery] = []
        self._numbers = 0
        self._broken = 0
        self._again = False
        self._not_before = 0.0
        self.given_up = ""
        self.on_reports: Callable[[list[Report]], None] = lambda reports: None
        self.on_unbegun: Callable[[list[Claimed]], None] = lambda tasks: None
        self.on_told: Callable[[list[Told]], None] = lambda told: None
        self.on_blamed: Callable[[Claimed, str, Child, int], None] = lambda task, how, child, sequence: None
        self.on_interrupted: Callable[[list[Claimed]], None] = lambda tasks: None
        self.on_born: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Begins to listen to the fork server, and has the children born."""
        self._listen_to(self.nursery)
        self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        """Keeps the number of children; lets go of those that are done; starts a fork server where there is none."""
        for child in [c for c in self.children.values() if c.retiring and not c.runs]:
            self._let_go(child)
        self._close_former()
        self._mind_nursery(now)
        if now < self._not_before or not self.wanted:
            return
        if self.nursery.failed and self._next is None:
            self._next = self._start()
        staying = [child for child in self.children.values() if not child.retiring]
        if self.nursery.hello and self.slots and not any(child.slots for child in staying):
            self._give_birth(self.slots)
        for _ in range(self.wanted - sum(not child.slots for child in staying)):
            if self.nursery.hello:
                self._give_birth(0)

    def _mind_nursery(self, now: float) -> None:
        """A fork server that says nothing of a birth or a death is replaced: without it no slot is filled again."""
        awaited = (c for c in self.children.values() if (c.pid is None or c.gone) and c.nursery == self.nursery.pid)
        if any(now - child.asked_at > _WORD_MOST for child in awaited) and not self.nursery.failed:
            log.error("the fork server has said nothing for %g s; it is ended", _WORD_MOST)
            self.nursery.kill()

    def _give_birth(self, slots: int) -> None:
        self._numbers += 1
        child = Child(self._numbers, self.nursery.pid, self._watch, slots)
        self.children[child.number] = child
        self._watch(child)
        self.nursery.spawn(child)

    def _watch(self, child: Child) -> None:
        events = READ | WRITE if child.wants_write else READ
        self._watcher.watch(child, child.fileno(), events, lambda events: self._hear(child, events))

    def _hear(self, child: Child, events: int) -> None:
        if events & WRITE:
            child.flush()
            self._watch(child)
        if events & READ:
            self.read(child)

    def read_all(self) -> None:
        """Takes in what children and fork servers have said, without being told that they have."""
        for child in list(self.children.values()):
            if child.runs:
                self.read(child)
        for nursery in (self.nursery, *self._former):
            self._hear_nursery(nursery)

    def read(self, child: Child) -> None:
        """Takes in what a child has said."""
        if child.gone:
            return
        try:
            reports, notices, ended = child.receive()
        except BrokenFrame as error:
            log.error("child %d: %s; it is ended", child.number, error)
            reports, notices, ended = [], [], True
            child.gone = True
        if child.told:
            told, child.told = child.told, []
            self.on_told(told)
        if reports:
            self.on_reports(reports)
        for kind, payload in notices:
            self._notice(child, kind, payload)
        if ended and child.number in self.children:
            self._watcher.forget(child)
            child.asked_at = time.monotonic()
            if not child.retiring:
                child.kill()  # it may have closed the channel and live on; how it ended comes from the fork server

    def _notice(self, child: Child, kind: int, payload: object) -> None:
        if kind == RECYCLE:
            log.debug("child %d is replaced: %s", child.number, payload)
            self.retire(child)
        elif kind == BROKEN:
            child.broken = True
            for line in str(payload).splitlines():
                log.error("%s", line)
            self._count_broken("its on_child_start hook raised (above)")
        else:
            self._broken = 0

    def _count_broken(self, why: str) -> None:
        self._broken += 1
        self._not_before = time.monotonic() + min(5.0, 0.1 * 2**self._broken)
        log.error("a child could not start: %s", why)
        if self._broken >= _BROKEN_MOST:
            self.given_up = f"{self._broken} children in a row could not start: {why}"

    def retire(self, child: Child) -> None:
        """It gets nothing more; what it has not begun goes on elsewhere; it ends after its run."""
        child.retiring = True
        self.on_unbegun(child.take_back())
        if not child.runs:
            self._let_go(child)

    def _let_go(self, child: Child) -> None:
        self.children.pop(child.number, None)
        self._watcher.forget(child)
        child.close()

    # Fork servers

    def _start(self) -> Nursery:
        nursery = Nursery(self._settings)
        nursery.listen()
        self._listen_to(nursery)
        return nursery

    def _listen_to(self, nursery: Nursery) -> None:
        self._watcher.watch(nursery, nursery.fileno(), READ, lambda events: self._hear_nursery(nursery))

    def _hear_nursery(self, nursery: Nursery) -> None:
        alive = nursery.receive(self._spawned, self._exited)
        if nursery is self._next and (nursery.hello or nursery.failed):
            self._take_over(nursery)
        elif not alive:
            self._bury(nursery)

    def _spawned(self, number: int, pid: int) -> None:
        if number in self.children:
            self.children[number].pid = pid

    def _exited(self, number: int, status: int) -> None:
        child = self.children.get(number)
        if child is None:
            return
        self.read(child)
        self.on_unbegun(child.take_back())
        for sequence, task in child.runs.items():
            self.on_blamed(task, how_it_ended(status), child, sequence)
        child.runs.clear()
        self._let_go(child)
        if not child.ready and not child.broken:
            self._count_broken(how_it_ended(status))

    def _bury(self, nursery: Nursery) -> None:
        """A fork server is gone, and its children die with it. None of their runs is to blame."""
        self._watcher.forget(nursery)
        nursery.close()
        if nursery in self._former:
            self._former.remove(nursery)
        elif not nursery.failed:
            log.error("the fork server is gone; its runs are handed back, it is started again")
            self.lose_all()
            nursery.failed = "the fork server is gone"

    def reload(self) -> None:
        """Imports the target anew, in a new fork server; the old children serve until it is there."""
        self._again = self._next is not None
        if self._next is None:
            self._next = self._start()

    def _take_over(self, nursery: Nursery) -> None:
        """A new import has ended. Well: the old children end after their runs. Badly: the old code goes on."""
        self._next, self._again = self._start() if self._again else None, False
        if nursery.failed:
            log.error("%s%s", nursery.failed, "" if self.nursery.failed else "; the old code goes on")
            self._watcher.forget(nursery)
            nursery.close()
            self._not_before = time.monotonic() + _IMPORT_AGAIN
            return
        if not self.nursery.failed:
            self._former.append(self.nursery)
        self.nursery = nursery
        for child in list(self.children.values()):
            self.retire(child)
        self.on_born()

    def _close_former(self) -> None:
        """Ends the fork servers whose last child has ended: not before, their children would die with them."""
        for nursery in list(self._former):
            if not any(child.nursery == nursery.pid for child in self.children.values()):
                self._former.remove(nursery)
                self._watcher.forget(nursery)
                nursery.close()

    # The end

    def lose_all(self) -> None:
        """Ends every child now; what they had not begun goes back, then what they ran: it is older."""
        unbegun: list[Claimed] = []
        interrupted: list[Claimed] = []
        for child in list(self.children.values()):
            child.kill()
            self.read(child)
            unbegun += child.take_back()
            interrupted += child.runs.values()
            child.runs.clear()
            self._let_go(child)
        self.on_unbegun(unbegun)
        self.on_interrupted(interrupted)

    def close(self) -> None:
        """Ends all children and the fork servers."""
        for child in list(self.children.values()):
            self._let_go(child)
        for nursery in (self.nursery, *self._former, *([self._next] if self._next else [])):
            self._watcher.forget(nursery)
            nursery.close()
