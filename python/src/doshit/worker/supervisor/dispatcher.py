"""Gives claimed tasks to children in small batches, and moves them on when a run turns out long. Speaks to no Redis."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from doshit.commands import Claimed
from doshit.worker.supervisor.children import Child, Report
from doshit.worker.supervisor.estimate import BATCH_WORTH, Estimate
from doshit.worker.supervisor.policies import Policies

STEAL_AFTER = 0.002  # seconds a run lasts before what waits behind it goes to an idle child
SHARED_MOST = 16  # tasks that wait for a slot before nothing more is claimed: what is behind them may be for others
HAND_BACK_AFTER = 0.1  # seconds that all children are stuck before what waits goes back to Redis


class Dispatcher:
    """What this worker holds and has not ended: ready, and what children were given.

    shared: what is ready too and may run beside others in one process.

    on_used: hears of an idle child that has served, when a task wants one that has not.
    """

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self.on_used: Callable[[Child], None] = lambda child: None
        self.ready: deque[Claimed] = deque()
        self.shared: deque[Claimed] = deque()
        self._shared_lately = 0
        self.children: dict[int, Child] = {}
        self.estimate = Estimate()

    def add(self, tasks: Iterable[Claimed]) -> None:
        if not self._policies.any_shared:
            self.ready.extend(tasks)
            return
        before = len(self.shared)
        for task in tasks:
            (self.shared if self._policies.is_shared(task) else self.ready).append(task)
        self._shared_lately = len(self.shared) - before

    def put_back(self, tasks: Iterable[Claimed]) -> None:
        """Takes tasks back that were ready before, oldest first: they are the next."""
        for task in reversed(list(tasks)):
            (self.shared if self._policies.is_shared(task) else self.ready).appendleft(task)

    def learn(self, report: Report) -> None:
        if not self._policies.is_shared(report[0]):
            self.estimate.learn(report[0].function, report[2] / 1e6)

    def outstanding(self) -> int:
        return len(self.ready) + len(self.shared) + sum(len(child.runs) for child in self.children.values())

    def queued(self) -> int:
        """How many of these wait for an ordinary child, or are with one: slots hold what they hold beside them."""
        given = sum(len(child.runs) for child in self.children.values() if not child.slots)
        return len(self.ready) + len(self.shared) + given

    def ids(self) -> set[bytes]:
        """The ids of all that."""
        given = {task.id for child in self.children.values() for task in child.runs.values()}
        return given | {task.id for task in (*self.ready, *self.shared)}

    def _serving(self) -> list[Child]:
        return [child for child in self.children.values() if child.serves and not child.slots]

    def _free_slots(self) -> int:
        return max(0, sum(child.free_slots for child in self.children.values()) - len(self.shared))

    def _flowing(self, now: float) -> list[Child]:
        """Children that are idle, or whose run is not a long one: only they have room."""
        return [c for c in self._serving() if not c.runs or (now - c.progress_at < BATCH_WORTH and not c.is_alone)]

    def free_children(self) -> int:
        return sum(child.idle for child in self.children.values())

    def could_begin(self) -> int:
        """How many more would begin at once, whichever functions they are of."""
        return self._free_slots() if self._policies.all_shared else self.free_children()

    def room(self, now: float) -> int:
        """How many more tasks may be claimed: two batches a child when runs are short, so that none waits for Redis.

        A claim cannot choose by function, so what it brings must find an ordinary child; as many as lately were for the
        slots may come beside that.
        """
        if self._policies.all_shared:
            return self._free_slots()
        batch = self.estimate.batch()
        flowing = self._flowing(now)
        held = len(self.ready) + max(0, len(self.shared) - SHARED_MOST) + sum(len(child.runs) for child in flowing)
        room = max(0, len(flowing) * (batch if batch == 1 else 2 * batch) - held)
        return room + min(self._shared_lately, self._free_slots()) if room else 0

    def dispatch(self, now: float) -> None:
        """Hands ready tasks out, fairly among the children that have room."""
        if self.shared:
            self._dispatch_shared()
        while self.ready:
            batch = self.estimate.batch()
            flowing = self._flowing(now)
            child = min(flowing, key=lambda c: len(c.runs), default=None)
            if child is None or len(child.runs) >= batch:
                return
            if self._policies.is_alone(self.ready[0]):
                if child.runs or not self._give_alone(child):
                    return
                continue
            share = -(-len(self.ready) // len(flowing))
            tasks = self._take(min(share, batch), idle=not child.runs)
            if not tasks:
                return
            child.give(tasks, self._policies.wishes_of(tasks))

    def _dispatch_shared(self) -> None:
        for child in self.children.values():
            tasks = [self.shared.popleft() for _ in range(min(child.free_slots, len(self.shared)))]
            if tasks:
                child.give(tasks, self._policies.wishes_of(tasks))

    def _give_alone(self, child: Child) -> bool:
        """Hands the next task to an idle child that is its own. False: a fresh one has to be born first."""
        if self._policies.is_fresh(self.ready[0]) and child.served:
            unused = next((one for one in self._serving() if one.idle and not one.served), None)
            if unused is None:
                self.on_used(child)
                return False
            child = unused
        task = self.ready.popleft()
        child.is_alone = True
        child.give([task], [self._policies.wishes(task)])
        return True

    def _take(self, most: int, idle: bool) -> list[Claimed]:
        """Tasks that are together worth a batch. One that may be long goes alone, and to an idle child only."""
        tasks: list[Claimed] = []
        worth, ready, is_alone, cost_of = 0.0, self.ready, self._policies.is_alone, self.estimate.of
        while ready and len(tasks) < most:
            task = ready[0]
            worth += cost_of(task.function)
            if ((tasks or not idle) and worth >= BATCH_WORTH) or is_alone(task):
                break
            tasks.append(ready.popleft())
        return tasks

    def steal(self, now: float) -> None:
        """While a child is idle nothing waits behind a long run of another."""
        if self.ready or not self.free_children():
            return
        for child in self._serving():
            if len(child.runs) > 1 and now - child.progress_at >= STEAL_AFTER:
                self.ready.extend(child.take_back())

    def stuck(self, now: float) -> list[Claimed]:
        """What waits while every child has been in one run for long: another worker may be free."""
        serving = self._serving()
        if not serving or any(not c.runs or now - c.progress_at < HAND_BACK_AFTER for c in serving):
            return []
        return self.take_all_back()

    def take_all_back(self, leave_one: bool = False) -> list[Claimed]:
        """Everything that has not begun, oldest first. leave_one: but for what an idle child was just given."""
        back = [task for child in self.children.values() for task in child.take_back(leave_one)]
        back += [*self.ready, *self.shared]
        self.ready.clear()
        self.shared.clear()
        return back

    def wake_in(self, now: float) -> float:
        """Seconds until steal or stuck may have something to do."""
        waiting = bool(self.ready) or any(len(child.runs) > 1 for child in self.children.values())
        if not waiting:
            return 3600.0
        return STEAL_AFTER if self.free_children() else HAND_BACK_AFTER
