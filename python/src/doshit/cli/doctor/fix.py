"""Does what is safe about findings and says what it did. Decides nothing by itself: each step looks again first.

Left to a person: what costs the server much (switching its append-only file on), and what throws something away.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from doshit.cli.doctor.facts import Facts, Finding, Target
from doshit.cli.doctor.server_checks import WANTED_VALUE
from doshit.cli.look import raw
from doshit.cli.text import one_line
from doshit.commands.calls import Arg, Call, promote, text
from doshit.commands.scripts import Script
from doshit.errors import ServerError, ServerUnavailable
from doshit.transport import SyncFace
from doshit.values.keys import Keys
from doshit.values.states import FAILED_TTL, RESULT_TTL

FIXED_AT_ONCE = 1000
"""Ids of a finding. Each is a call of its own, so that the server is never busy for long."""

PROMOTIONS = 1000
HASH_GRACE = 5.0
"""Seconds that the protocol waits for the hash of an id."""

_SETTINGS = {"maxmemory-policy": "noeviction", "appendfsync": "everysec"}
_DONE = {
    "pushed": "put into their queue again",
    "given-back": "given back to their queue",
    "removed": "stale entries taken away",
    "quarantined": "put into quarantine",
    "expires": "given a lifetime",
    "sealed": "sealed: a live worker takes back what they held",
    "fine": "changed meanwhile and left alone",
    "wrong-type": "left alone: a key of their queue has a wrong type",
    "unsure": "left alone: where they belong was not read to the end; use --deep",
}


def _script() -> Script:
    source = (Path(__file__).parent / "mend.lua").read_bytes()
    return Script("mend", source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


class Fixer:
    """Fixes the findings of one look."""

    def __init__(self, face: SyncFace, keys: Keys, facts: Facts, began: float) -> None:
        self._face, self._keys, self._facts, self._began = face, keys, facts, began
        self._script = _script()
        self._queues = [queue.name for queue in facts.queues]
        self._ways: dict[str, Callable[[Finding], str]] = {
            "eviction": self._set,
            "fsync": self._set,
            "compact-hashes": self._set,
            "stray-held": self._each(lambda it: ("seal", raw(it.id))),
            "pending-without-hash": self._bury,
            "executing-without-hash": self._each(self._adoption),
            "executing-finished": self._each(self._adoption),
            "executing-unheld": self._each(self._adoption),
            "executing-foreign": self._each(self._adoption),
            "lost-task": self._each(self._push),
            "kept-for-ever": self._each(lambda it: ("expire", raw(it.id), RESULT_TTL, FAILED_TTL, *self._queues)),
            "overdue": self._promote,
            "unlisted-queue": self._enter,
        }

    def fix(self, finding: Finding) -> str:
        """What was done about it, in one line, or why nothing could be. Raises ServerUnavailable."""
        try:
            return self._ways[finding.code](finding)
        except ServerUnavailable:
            raise
        except ServerError as error:
            return f"not fixed: {one_line(str(error))}"

    def _set(self, finding: Finding) -> str:
        name = finding.targets[0].id
        value = _SETTINGS.get(name, str(WANTED_VALUE))
        self._face.command("CONFIG SET", name, value)
        return f"CONFIG SET {name} {value}; write it into the server's configuration file too, or a restart forgets it"

    def _enter(self, finding: Finding) -> str:
        self._face.command("SADD", self._keys.queues, finding.targets[0].id)
        return "entered into the list of queues"

    def _promote(self, finding: Finding) -> str:
        # Only queues that are listed are promoted.
        self._face.command("SADD", self._keys.queues, finding.targets[0].queue)
        moved = 0
        for _ in range(PROMOTIONS):
            count = int(self._face.call(promote(self._keys, interval_ms=0))[1])
            moved += count
            if not count:
                break
        return f"{moved} due tasks of all queues moved to their queue"

    def _bury(self, finding: Finding) -> str:
        # A producer that pushes first gets the time for its hash that the protocol gives it.
        time.sleep(max(0.0, self._began + HASH_GRACE - time.monotonic()))
        return self._each(lambda it: ("bury", raw(it.id), it.queue))(finding)

    def _adoption(self, target: Target) -> tuple[Arg, ...]:
        return ("adopt", raw(target.id), target.queue, raw(self._facts.executing[target].claim))

    def _push(self, target: Target) -> tuple[Arg, ...] | None:
        if not target.queue and self._facts.cut:
            return None  # It may stand in a queue that nobody has seen.
        return ("push", raw(target.id), target.queue or "default", *self._queues)

    def _each(self, command: Callable[[Target], tuple[Arg, ...] | None]) -> Callable[[Finding], str]:
        """A way that sends one call for each target and counts the words that come back."""

        def way(finding: Finding) -> str:
            commands = [command(target) for target in finding.targets[:FIXED_AT_ONCE]]
            words = Counter("unsure" if it is None else self._face.call(self._call(it)) for it in commands)
            parts = [f"{count} {_DONE[word]}" for word, count in words.items()]
            if finding.count > len(commands):
                parts.append(f"{finding.count - len(commands)} left: run it again")
            return "; ".join(parts)

        return way

    def _call(self, args: tuple[Arg, ...]) -> Call[str]:
        return Call(self._script, self._keys.app, args, text)
