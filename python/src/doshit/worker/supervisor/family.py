"""The children of one worker and their fork server: born, worn, dead, born again. Settles none of their runs."""

from __future__ import annotations

import logging
import selectors
import signal
import time
from collections.abc import Callable

from doshit.commands import Claimed
from doshit.errors import ConfigurationError
from doshit.worker.supervisor.children import Child, Report
from doshit.worker.supervisor.nursery import Nursery
from doshit.worker.supervisor.settings import Settings
from doshit.worker.wire import BROKEN, RECYCLE

log = logging.getLogger("doshit.worker")

_BROKEN_MOST = 3  # children in a row that could not start


class Family:
    """children: those that live, by number; wanted: how many there should be. The supervisor sets the four hooks."""

    def __init__(
        self,
        settings: Settings,
        nursery: Nursery,
        wanted: int,
        children: dict[int, Child],
        selector: selectors.BaseSelector,
    ) -> None:
        self._settings, self.wanted, self.children, self._selector = (
            settings,
            wanted,
            children,
            selector,
        )
        self.nursery, self._former = nursery, list[Nursery]()
        self._numbers = 0
        self._broken = 0
        self._spawn_after = 0.0
        self.on_reports: Callable[[list[Report]], None] = lambda reports: None
        self.on_unbegun: Callable[[list[Claimed]], None] = lambda tasks: None
        self.on_blamed: Callable[[Claimed, str], None] = lambda task, how: None
        self.on_interrupted: Callable[[list[Claimed]], None] = lambda tasks: None
        self.given_up = ""

    def watch(self) -> None:
        """Begins to listen to the fork server, and has the children born."""
        nursery = self.nursery
        self._selector.register(nursery, selectors.EVENT_READ, lambda events: self._hear_nursery(nursery))
        self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        """Has children born until there are enough."""
        if now < self._spawn_after or not self.nursery.hello:
            return
        for _ in range(self.wanted - sum(not child.retiring for child in self.children.values())):
            self._numbers += 1
            child = Child(self._numbers, self.nursery.pid, self._watch_writing)
            self.children[child.number] = child
            self._selector.register(
                child,
                selectors.EVENT_READ,
                lambda events, child=child: self._hear(child, events),
            )
            self.nursery.spawn(child)

    def _watch_writing(self, child: Child) -> None:
        self._selector.modify(
            child,
            selectors.EVENT_READ | selectors.EVENT_WRITE,
            lambda events: self._hear(child, events),
        )

    def _hear(self, child: Child, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            child.flush()
            if not child.wants_write:
                self._selector.modify(
                    child,
                    selectors.EVENT_READ,
                    lambda events: self._hear(child, events),
                )
        if events & selectors.EVENT_READ:
            self.read(child)

    def read(self, child: Child) -> None:
        """Takes in what a child has said."""
        if child.gone:
            return
        reports, notices, ended = child.receive()
        if reports:
            self.on_reports(reports)
        for kind, payload in notices:
            self._notice(child, kind, payload)
        if ended and child.number in self.children:
            self._selector.unregister(child)
            if child.pid is not None and not child.retiring:
                child.kill()  # it may have closed the channel and live on; how it ended comes from the fork server

    def _notice(self, child: Child, kind: int, payload: object) -> None:
        if kind == RECYCLE:
            log.debug("child %d is replaced: %s", child.number, payload)
            self.retire(child)
        elif kind == BROKEN:
            self._broken += 1
            log.error("a child could not start; its on_child_start hook raised:\n%s", payload)
            self._spawn_after = time.monotonic() + min(5.0, 0.2 * 2**self._broken)
            if self._broken >= _BROKEN_MOST:
                self.given_up = f"{self._broken} children in a row could not start (see above)"
        else:
            self._broken = 0

    def retire(self, child: Child) -> None:
        """It gets nothing more; what it has not begun goes on elsewhere; it ends after its run."""
        child.retiring = True
        self.on_unbegun(child.take_back())
        if not child.runs:
            self._let_go(child)

    def settle_retired(self) -> None:
        """Lets go of retiring children whose last run has ended."""
        for child in [c for c in self.children.values() if c.retiring and not c.runs]:
            self._let_go(child)
        if self._former:
            self._close_former()

    def _let_go(self, child: Child) -> None:
        self.children.pop(child.number, None)
        if not child.gone:
            self._selector.unregister(child)
        child.close()

    def _hear_nursery(self, nursery: Nursery) -> None:
        if nursery.receive(self._spawned, self._exited):
            return
        self._selector.unregister(nursery)
        if nursery in self._former:
            self._former.remove(nursery)
            nursery.close()
        else:
            self._start_again()

    def _spawned(self, number: int, pid: int) -> None:
        if number in self.children:
            self.children[number].pid = pid

    def _exited(self, number: int, status: int) -> None:
        child = self.children.get(number)
        if child is None:
            return
        if not child.gone:
            self.read(child)
        self.on_unbegun(child.take_back())
        for task in child.runs.values():
            self.on_blamed(task, how_it_ended(status))
        child.runs.clear()
        self._let_go(child)
        self.tick(time.monotonic())

    def _start_again(self) -> None:
        """The fork server is gone, and its children die with it. None of their runs is to blame."""
        log.error("the fork server is gone; its runs are handed back, it is started again")
        self.lose_all()
        self.nursery.close()
        nursery = Nursery(self._settings)
        try:
            nursery.start()
        except ConfigurationError as error:
            self.given_up = f"the fork server could not be started again: {error}"
        else:
            self.nursery = nursery
            self.watch()

    def reload(self) -> bool:
        """Imports the target anew, in a new fork server; old children end after their runs. False: it failed."""
        nursery = Nursery(self._settings)
        try:
            nursery.start()
        except ConfigurationError as error:
            log.error("not reloaded, the old code goes on: %s", error)
            return False
        self._former.append(self.nursery)
        self.nursery = nursery
        for child in list(self.children.values()):
            self.retire(child)
        self._close_former()
        self.watch()
        return True

    def _close_former(self) -> None:
        """Ends the fork servers whose last child has ended: not before, their children would die with them."""
        for nursery in list(self._former):
            if not any(child.nursery == nursery.pid for child in self.children.values()):
                self._former.remove(nursery)
                self._selector.unregister(nursery)
                nursery.close()

    def lose_all(self) -> None:
        """Ends every child now; what they ran is interrupted, what they had not begun goes back."""
        for child in list(self.children.values()):
            child.kill()
            if not child.gone:
                self.read(child)
            self.on_unbegun(child.take_back())
            self.on_interrupted(list(child.runs.values()))
            child.runs.clear()
            self._let_go(child)

    def close(self) -> None:
        """Ends all children and the fork server."""
        for child in list(self.children.values()):
            self._let_go(child)
        for nursery in (self.nursery, *self._former):
            nursery.close()


def how_it_ended(status: int) -> str:
    """One line for a person: the signal or the exit status."""
    if status >= 0:
        return f"the process ended without a result (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process was killed by {name} (signal {-status})"
