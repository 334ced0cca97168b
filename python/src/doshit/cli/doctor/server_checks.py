"""Judges the server: its version, its settings, its disk, its clock. Pure: facts in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doshit.cli.doctor.facts import Facts, Finding, Severity, Target
from doshit.cli.doctor.kinds import finding
from doshit.values.states import LEASE_MS, PROTOCOL_VERSION

OLDEST = (6, 2)
FULL = 0.9
"""Of maxmemory."""

SMALL_VALUE = 1024
WANTED_VALUE = 4096
"""Bytes of a field that a hash keeps in its compact form. Measured: args beyond it cost twice the memory."""

CLOCK_OFF = 1.0
CLOCK_JUMPED = 0.5
FAR_LEASE = 60 * LEASE_MS


def server_findings(facts: Facts) -> Iterator[Finding]:
    """What the server should have otherwise. Says nothing of what this user may not read."""
    yield from _kind(facts)
    yield from _memory(facts)
    yield from _disk(facts)
    yield from _compact(facts)
    yield from _clock(facts)


def _number(facts: Facts, name: str) -> int:
    """A number of INFO, 0 where there is none."""
    found = re.match(r"\d+", str(facts.info.get(name, "")))
    return int(found[0]) if found else 0


def _kind(facts: Facts) -> Iterator[Finding]:
    version = str(facts.info.get("valkey_version") or facts.info.get("redis_version") or "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        yield finding("version", facts, version=version)
    if facts.info.get("role") == "slave":
        yield finding("replica", facts)
    if _number(facts, "cluster_enabled") and "{" not in facts.prefix:
        yield finding("cluster-prefix", facts)
    if facts.protocol not in ("", PROTOCOL_VERSION):
        yield finding("protocol", facts, version=facts.protocol, own=PROTOCOL_VERSION)


def _memory(facts: Facts) -> Iterator[Finding]:
    limit, used, evicted = (_number(facts, name) for name in ("maxmemory", "used_memory", "evicted_keys"))
    policy = facts.info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        # Without a limit nothing is evicted, until somebody sets one.
        severity = Severity.ERROR if limit else Severity.WARNING
        target = Target("maxmemory-policy")
        yield finding("eviction", facts, [target], severity=severity, policy=policy, evicted=evicted)
    elif evicted:
        yield finding("evicted", facts, evicted=evicted)
    if limit and used > FULL * limit:
        yield finding("memory-full", facts, percent=100 * used // limit)


def _disk(facts: Facts) -> Iterator[Finding]:
    for sign, file in (("aof_last_write_status", "append-only file"), ("rdb_last_bgsave_status", "snapshot")):
        if str(facts.info.get(sign, "ok")) != "ok":
            yield finding("disk", facts, file=file, sign=sign)
    if _number(facts, "aof_enabled"):
        if facts.settings.get("appendfsync") == "no":
            yield finding("fsync", facts, [Target("appendfsync")])
    elif "aof_enabled" in facts.info:
        yield _without_aof(facts)


def _without_aof(facts: Facts) -> Finding:
    if facts.settings.get("save"):
        lack, loss, severity = "only snapshots are written", "a crash loses the tasks of minutes", Severity.ADVICE
    elif "save" in facts.settings:
        lack, loss, severity = "nothing is written to disk", "a restart loses every task", Severity.WARNING
    else:
        lack, loss, severity = "the append-only file is off", "a crash loses tasks", Severity.WARNING
    return finding("persistence", facts, severity=severity, lack=lack, loss=loss)


def _compact(facts: Facts) -> Iterator[Finding]:
    # The second is the name before 7.0, and an alias since.
    for name in ("hash-max-listpack-value", "hash-max-ziplist-value"):
        value = facts.settings.get(name, "")
        if value.isdigit():
            if int(value) < SMALL_VALUE:
                yield finding("compact-hashes", facts, [Target(name)], name=name, value=value, wanted=WANTED_VALUE)
            return


def _clock(facts: Facts) -> Iterator[Finding]:
    ahead, slack, jumped = facts.clock.ahead, facts.clock.slack, facts.clock.jumped
    if ahead is not None and abs(ahead) > CLOCK_OFF + slack:
        yield finding("clock-differs", facts, seconds=abs(ahead), way="ahead of" if ahead > 0 else "behind")
    if jumped is not None and abs(jumped) > CLOCK_JUMPED:
        yield finding("clock-jumps", facts, seconds=jumped)
    far = [Target(worker.id) for worker in facts.workers if worker.lease > facts.now * 1000 + FAR_LEASE]
    if far:
        yield finding("clock-went-back", facts, far)
