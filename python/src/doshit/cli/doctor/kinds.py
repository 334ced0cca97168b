"""Every kind of finding: how bad it is, what is said of it, where it is, what helps. Decides nothing, reads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from doshit.cli.doctor.facts import Facts, Finding, Severity, Target

ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE


class Kind(NamedTuple):
    """Texts with the words of a finding in braces. fix: whether --fix can do something."""

    severity: Severity
    what: str
    where: str
    remedy: str
    fix: bool = False


def finding(
    code: str,
    facts: Facts,
    targets: Sequence[Target] = (),
    *,
    count: int | None = None,
    severity: Severity | None = None,
    **words: object,
) -> Finding:
    """A finding of this kind. count: by default that of the targets; severity: where it is not the kind's own."""
    kind = KINDS[code]
    many = (len(targets) or 1) if count is None else count
    what, where, remedy = (
        part.format(prefix=facts.prefix, count=many, **words) for part in (kind.what, kind.where, kind.remedy)
    )
    return Finding(code, severity or kind.severity, what, where, remedy, tuple(targets), many, kind.fix)


_SERVER: Mapping[str, Kind] = {
    "version": Kind(
        ERROR,
        "the server is {version}; doshit needs 6.2 or newer, or Valkey",
        "INFO server",
        "update the server, or use another one",
    ),
    "replica": Kind(
        ERROR,
        "this server is a replica: nothing can be submitted or run here",
        "INFO replication",
        "use the URL of its primary",
    ),
    "cluster-prefix": Kind(
        ERROR,
        "the server is part of a cluster and the prefix has no tag",
        "{prefix}",
        "use a prefix with a tag: --prefix '{{{prefix}}}'",
    ),
    "protocol": Kind(
        ERROR,
        "this app is used with version {version} of the protocol, and this is version {own}",
        "{prefix}:protocol",
        "run a doshit of that version, or use another prefix",
    ),
    "eviction": Kind(
        WARNING,
        "maxmemory-policy is {policy}: at maxmemory the server drops tasks ({evicted} keys evicted so far)",
        "maxmemory-policy",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file",
        True,
    ),
    "evicted": Kind(
        WARNING,
        "{evicted} keys were evicted since the server started; tasks may be among them",
        "INFO stats",
        "submit again what vanished; the policy is right by now",
    ),
    "memory-full": Kind(
        WARNING,
        "the server uses {percent} % of its maxmemory; beyond it, submit and claim are refused",
        "maxmemory",
        "raise maxmemory, keep results for a shorter time (--result-ttl), or let workers catch up",
    ),
    "disk": Kind(
        ERROR,
        "the server could not write its last {file}",
        "INFO persistence, {sign}",
        "look at its log and at the room on its disk",
    ),
    "persistence": Kind(
        WARNING,
        "{lack}: {loss}",
        "appendonly",
        "CONFIG SET appendonly yes (it writes a copy of all data once), and the same in its configuration file",
    ),
    "fsync": Kind(
        WARNING,
        "appendfsync is no: a loss of power loses the tasks of about half a minute",
        "appendfsync",
        "CONFIG SET appendfsync everysec, and the same in its configuration file",
        True,
    ),
    "compact-hashes": Kind(
        ADVICE,
        "{name} is {value}: tasks with args over {value} bytes cost about twice the memory",
        "{name}",
        "CONFIG SET {name} {wanted}, and the same in its configuration file",
        True,
    ),
    "clock-differs": Kind(
        ADVICE,
        "the clock of Redis is {seconds:.1f} s {way} this machine's; ages of plain tasks made here look wrong",
        "TIME",
        "let both machines keep time by NTP",
    ),
    "clock-jumps": Kind(
        WARNING,
        "the clock of Redis jumped by {seconds:.1f} s while this looked: leases and delays are counted by it",
        "TIME",
        "let its machine slew its clock instead of setting it (chrony, ntpd)",
    ),
    "clock-went-back": Kind(
        WARNING,
        "leases end far in the future, so the clock of Redis went back, and a death is found late: {count} workers",
        "{prefix}:workers",
        "restart these workers",
    ),
}

_WORKERS: Mapping[str, Kind] = {
    "no-worker": Kind(
        ERROR,
        "no live worker serves {queue}, and its tasks wait: {waiting}{strangers}",
        "{prefix}:{queue}:pending",
        "start one: doshit worker tasks.py -q {queue}",
    ),
    "dead-worker": Kind(
        ERROR,
        "workers are gone and still hold tasks ({held}): {count}",
        "{prefix}:workers",
        "start a worker: it takes back within 15 s what they held",
    ),
    "stray-held": Kind(
        ERROR,
        "workers that stand in no list hold tasks ({held}), so nobody takes them back: {count}",
        "{prefix}:held:*",
        "--fix seals these workers; a live worker then takes back what they held",
        True,
    ),
    "idle-duties": Kind(
        ERROR,
        "{duty} was last done {when}, though workers are alive: {alive}",
        "{prefix}:duties",
        "look at the log of a worker; its user may lack a command or a key",
    ),
    "unknown-function": Kind(
        WARNING,
        "nobody serves function {function} on {queue}{elsewhere}; its tasks fail after the grace of a worker",
        "{prefix}:{queue}:pending",
        "start a worker that has it: doshit worker tasks.py -q {queue}; or correct the producer",
    ),
    "signatures-differ": Kind(
        WARNING,
        "function {function} has {forms} signatures among live workers: whether a call is good depends on who takes it",
        "{prefix}:catalog:{sha}",
        "let all workers run the same version of the code",
    ),
}

_TASKS: Mapping[str, Kind] = {
    "wrong-type": Kind(
        ERROR,
        "is a {actual} where the protocol has a {expected}",
        "{key}",
        "another program writes here: choose another prefix, or remove the key if nobody needs it",
    ),
    "pending-without-hash": Kind(
        WARNING,
        "ids wait in {queue} whose hash was deleted, has expired or was never written: {count}",
        "{prefix}:{queue}:pending",
        "--fix puts them into quarantine, as a worker does when it meets them",
        True,
    ),
    "executing-without-hash": Kind(
        WARNING,
        "ids in executing of {queue} have no hash and no worker holds them: {count}",
        "{prefix}:{queue}:executing",
        "--fix puts them into quarantine",
        True,
    ),
    "executing-finished": Kind(
        WARNING,
        "ids in executing of {queue} are over already: {count}",
        "{prefix}:{queue}:executing",
        "--fix takes the stale entries away, as a live worker does",
        True,
    ),
    "executing-unheld": Kind(
        WARNING,
        "ids in executing of {queue} are held by no worker: {count}",
        "{prefix}:{queue}:executing",
        "--fix gives them back to their queue, as a live worker does after 5 s",
        True,
    ),
    "executing-foreign": Kind(
        WARNING,
        "ids in executing of {queue} run without a claim for over an hour: {count}",
        "{prefix}:{queue}:executing",
        "--fix gives them back to their queue, as a live worker does",
        True,
    ),
    "lost-task": Kind(
        ERROR,
        "tasks are not over and stand in no queue, so nobody will run them: {count}",
        "{prefix}:task:*",
        "--fix puts them into their queue again",
        True,
    ),
    "half-task": Kind(
        WARNING,
        "hashes name no function and stand in no queue: {count}",
        "{prefix}:task:*",
        "HSET what is missing and LPUSH the id, or DEL the hash",
    ),
    "kept-for-ever": Kind(
        WARNING,
        "finished tasks never expire and do not ask for that (result-ttl keep): {count}",
        "{prefix}:task:*",
        "--fix gives them the lifetime that results have",
        True,
    ),
    "overdue": Kind(
        ERROR,
        "scheduled tasks of {queue} are due for over a minute and were not moved: {count}",
        "{prefix}:{queue}:scheduled",
        "--fix moves them to their queue, as a live worker does",
        True,
    ),
    "unlisted-queue": Kind(
        WARNING,
        "{queue} is not in the list of queues, so nobody moves its scheduled tasks or looks at its executing ones",
        "{prefix}:queues",
        "--fix enters it",
        True,
    ),
    "quarantine": Kind(
        WARNING,
        "ids that can be no task are in quarantine of {queue}: {count}",
        "{prefix}:{queue}:quarantine",
        "look who pushed them, then DEL this list",
    ),
    "failed": Kind(
        ADVICE,
        "tasks of {queue} have failed: {count}{codes}",
        "{prefix}:{queue}:failed",
        "look at them with `doshit failed`, then retry or drop them",
    ),
    "large-args": Kind(
        WARNING,
        "tasks have args over {cap} bytes, the cap of a worker that was given no other: {count}",
        "{prefix}:task:*",
        "keep large data elsewhere and send its name, or start workers with a larger --args-cap",
    ),
    "large-result": Kind(
        WARNING,
        "tasks have a result over {cap} bytes, the cap of a worker that was given no other: {count}",
        "{prefix}:task:*",
        "keep large data elsewhere and return its name",
    ),
    "large-task": Kind(
        ADVICE,
        "tasks take more than {cap} bytes of memory each: {count}",
        "{prefix}:task:*",
        "keep large data elsewhere and send its name",
    ),
    "long-queue": Kind(
        ADVICE,
        "many tasks stand in {kind} of {queue}: {length}",
        "{prefix}:{queue}:{kind}",
        "start more workers, or submit less",
    ),
    "long-executing": Kind(
        ADVICE,
        "many tasks are in flight in {queue}, and each end searches this list: {length}",
        "{prefix}:{queue}:executing",
        "spread them over more queues or prefixes",
    ),
    "not-permitted": Kind(
        ADVICE,
        "this user may not run {commands}: what that would show was not looked at",
        "ACL",
        "run it as a user who may, to see everything",
    ),
}

KINDS: Mapping[str, Kind] = {**_SERVER, **_WORKERS, **_TASKS}
