"""The kinds of workers that a row is run with, and which of them a test asks for. Starts none."""

from collections.abc import Callable, Sequence
from itertools import cycle

import pytest

from faults.node import IsolatedWorker, NodeWorker
from worker.workers import Worker

PYTHON, NODE, ISOLATED, MIXED, ALL = "python", "node", "node-isolated", "mixed", "mixed-all"
FLEETS: dict[str, Sequence[type[Worker]]] = {
    PYTHON: [Worker],
    NODE: [NodeWorker],
    ISOLATED: [IsolatedWorker],
    MIXED: [Worker, NodeWorker],
    ALL: [Worker, NodeWorker, IsolatedWorker],
}
"""By turns, the workers of a fleet."""
EACH = (PYTHON, NODE, ISOLATED)
FLEET = (PYTHON, NODE, MIXED)
USUAL = (PYTHON, NODE)
"""Where a test says nothing."""


def kinds(*names: str, quick: Sequence[str] = ()) -> pytest.MarkDecorator:
    """A mark: this test runs with workers of these kinds. quick: those that `make test` runs besides Python's."""
    return pytest.mark.kinds(*names, quick=quick)


def turns(kind: str, seed: int) -> Callable[[], type[Worker]]:
    """Whose turn it is to be started. Which kind is first is the seed's to say, so two seeds try both directions."""
    fleet = FLEETS[kind]
    workers = cycle(fleet)
    for _ in range(seed % len(fleet)):
        next(workers)
    return lambda: next(workers)
