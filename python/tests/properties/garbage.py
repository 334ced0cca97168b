"""Makes random tasks that nobody should push, from a seed. Pushes none of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS = {
    b"echo": b'{"text": "\\u2028"}',
    b"add": b'{"a": 1, "b": 2}',
    b"aadd": b'{"a": 1, "b": 2}',
    b"any_value": b'{"value": [1, {"a": null}]}',
    b"fail": b'{"message": "\\u001b[2J\\n\\ud83d\\ude00"}',
    b"falsy": b'{"which": "no such"}',
}
"""What is called, with args that fit."""
NO_FUNCTIONS = (
    b"", b" ", b"echo ", b"\0echo", b"echo\0", b"Echo", b"__class__", b"__init__", b"os.system", b"tasks.echo",
    b"../echo", b"\xff\xfe", b"ec\nho", b"\x1b[2Jecho", "\N{SNOWMAN}".encode(), b"x" * 255, b"x" * 256, b"x" * 70_000,
    b"default:pending",
)  # fmt: skip
DEEP = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BIG = b'{"text": "' + b"x" * (1 << 20) + b'"}'
ARGS = (
    b"", b" ", b"\0", b"null", b"true", b"0", b"-0.0", b'""', b'"text"', b"[]", b"[1,2]", b"[[[[]]]]", b"{", b"}",
    b"{}", b"{}{}", b"{} x", b"{'a': 1}", b'{"a": 1,}', b'{"a": 01}', b'{"a": .5}', b'{"a": +1}', b'{"a": 0x10}',
    b'{"text": NaN}', b'{"text": Infinity}', b'{"text": -Infinity}', b'{"text": 1e999}', b'{"text": 1e-999}',
    b"\xef\xbb\xbf{}", b"//x\n{}", b'{"text": "\xff\xfe"}', b'{"text": "\xed\xa0\x80"}', rb'{"text": "\ud800"}',
    rb'{"text": "\udc00\ud800"}', rb'{"text": "\u0000"}', b'{"text": "\0"}', b'{"text": "line\nbreak"}',
    rb'{"text": "\n\r\u2028\u001b[31m"}', b'{"__proto__": {"a": 1}}', b'{"text": {"__proto__": 1}}',
    rb'{"text": {"\u005f\u005fproto__": 1}}', b'{"constructor": {"prototype": 1}}', b'{"text": 1, "text": 2}',
    b'{"a": 1, "a": 2, "b": 3}', b'{"": 1}', b'{"self": 1}', b'{"text": ' + b"9" * 5000 + b"}",
    b'{"value": 1' + b"0" * 4299 + b"}", b'{"text": 0.' + b"1" * 5000 + b"}",
    b'{"text": ' + b"[" * 900 + b"]" * 900 + b"}", b'{"text":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
    b'{"a": 1, "b": "two"}', b'{"a": 1.5, "b": 2}', b'{"a": true, "b": 2}', b'{"a": null, "b": 2}',
    b'{"a": 1, "b": 2, "c": 3}', b'{"a": 1e400, "b": 1}', b'{"a": 9223372036854775808, "b": 1}',
    b'{"a": [1], "b": {}}', b'{"which": "no such"}', b'{"message": "\\u001b[31m\\n12:00:00 forged"}', b"(text=1)",
    b"!!python/object:os.system", b"\x80\x04\x95", b"<xml/>",
)  # fmt: skip
VALUES = (
    b"", b" ", b"\0", b"\n", b"\xff\xfe", b"\xed\xa0\x80", b"0", b"-1", b"+1", b"1.5", b"1e3", b"1,5", b"0x10", b"nan",
    b"NaN", b"inf", b"-inf", b"1e999", b"9" * 15, b"9" * 16, b"9" * 5000, b"true", b"null", b"None", b"{}", b"[]",
    b"keep", b"keep ", b"KEEP", b"pending", b"executing", b"finished", b"bananas", b"__proto__", b"default",
    b"../../etc/passwd", b"%s%n", b"{tag}", b"2015-12-05T00:19:01.834909Z", b"2999-12-05T00:19:01.834909Z",
    b"2015-13-45T99:99:99.999999Z", b"tomorrow", b"x" * 70_000, "\N{ARABIC-INDIC DIGIT ONE}".encode(), b"\x1b[31m",
    b"1 2", b"w/1.1", b"1\n2",
)  # fmt: skip
FIELDS = (
    b"state", b"pending-created", b"executing-created", b"finished-created", b"result", b"result-value",
    b"error-reason", b"error-code", b"error-exception", b"result-ttl", b"expires", b"reply-to", b"username",
    b"traceparent", b"queue", b"worker", b"claim", b"attempts", b"lost", b"retried", b"failures", b"unknown-since",
    b"cancelled-created", b"progress", b"output", b"cpu-time", b"memory-peak", b"", b"no-field", b"\xff", b"__proto__",
    b"function ",
)  # fmt: skip
# What a worker obeys: garbage, or a value that lets the run be. No task may ask to be killed or to run for ever here.
LIMITS = (b"time-limit", b"memory-limit", b"retries", b"retry-delay", b"retry-backoff")
NO_LIMIT = {
    b"time-limit": b"600",
    b"memory-limit": b"9" * 12,
    b"retries": b"1",
    b"retry-delay": b"0",
    b"retry-backoff": b"1",
}
OTHER_TYPES = (("SET", b"x"), ("LPUSH", b"x"), ("SADD", b"x"), ("ZADD", 1, b"x"), ("XADD", "*", b"x", b"x"))
IDS = (
    b"{}:task:1", b"{}:default:pending", b"{}:workers", b"{}:", b":", b"default:pending", b"task", b" ", b"\0", b"\n",
    b"\r\n", b"\xff\xfe", b"\x1b[31m", b"\n12:00:00 forged", b"*", b"?", b"[a-z]", b"{tag}", b"'", b'"', b"\\",
    b"$(id)", b"--help", b"%s", "\N{SNOWMAN}".encode(), b"x" * 240, b"x" * 300, b"../..", b"__proto__",
    b"w/1.1 default", b"-1", b"nil", b"",
)  # fmt: skip


@dataclass
class Garbage:
    """One task as it is pushed. make: another command for its key than HSET. times: how often its id is pushed."""

    id: bytes
    fields: dict[bytes, bytes] = field(default_factory=dict)
    make: tuple[Any, ...] = ()
    times: int = 1
    wanted: str | None = None
    """The result-value of a good task."""


def tasks(seed: int, count: int, prefix: str) -> list[Garbage]:
    """So many tasks; every tenth is a good one."""
    dice = random.Random(seed)
    return [_good(dice, n) if n % 10 == 0 else _bad(dice, n, prefix) for n in range(count)]


def _good(dice: random.Random, n: int) -> Garbage:
    a, b = dice.randrange(1000), dice.randrange(1000)
    args = json.dumps({"a": a, "b": b}).encode()
    return Garbage(b"good%d" % n, {b"function": b"add", b"args": args, b"state": b"pending"}, wanted=str(a + b))


def _bad(dice: random.Random, n: int, prefix: str) -> Garbage:
    function = dice.choice(tuple(FUNCTIONS))
    fields = {b"function": function, b"args": FUNCTIONS[function], b"state": b"pending"}
    it = Garbage(_id(dice, n, prefix), fields, times=dice.choice((1, 1, 1, 2, 3)))
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        dice.choice(SPOILERS)(dice, it)
    if n % 500 == 7:
        it.fields[b"args"] = dice.choice((DEEP, BIG))
    return it


def _id(dice: random.Random, n: int, prefix: str) -> bytes:
    shape = dice.choice((*IDS, None, None, None, None))
    start = dice.randbytes(dice.randrange(1, 60)) if shape is None else shape.replace(b"{}", prefix.encode())
    return start + b"%d" % n


def _spoil_args(dice: random.Random, it: Garbage) -> None:
    it.fields[b"args"] = dice.choice(ARGS)


def _random_args(dice: random.Random, it: Garbage) -> None:
    """Good JSON with some of its bytes changed, or plain noise."""
    raw = bytearray(
        dice.choice((b'{"text": {"a": [1, "\xc3\xa9", null]}}', b'{"a": 1, "b": 2}', b'{"value": [1.5e3]}'))
    )
    for _ in range(dice.randrange(1, 4)):
        raw[dice.randrange(len(raw))] = dice.randrange(256)
    it.fields[b"args"] = bytes(raw) if dice.random() < 0.7 else dice.randbytes(dice.randrange(40))


def _spoil_function(dice: random.Random, it: Garbage) -> None:
    it.fields[b"function"] = dice.choice(NO_FUNCTIONS)


def _spoil_state(dice: random.Random, it: Garbage) -> None:
    it.fields[b"state"] = dice.choice(VALUES)


def _spoil_field(dice: random.Random, it: Garbage) -> None:
    it.fields[dice.choice(FIELDS)] = dice.choice(VALUES)


def _spoil_limit(dice: random.Random, it: Garbage) -> None:
    name, value = dice.choice(LIMITS), dice.choice(VALUES)
    is_number = value.strip().replace(b".", b"", 1).isdigit()
    it.fields[name] = NO_LIMIT[name] if is_number and len(value) < 16 else value


def _leave_out(dice: random.Random, it: Garbage) -> None:
    it.fields.pop(dice.choice((b"function", b"args", b"state")), None)
    it.fields.setdefault(b"username", b"me")


def _another_type(dice: random.Random, it: Garbage) -> None:
    if dice.random() < 0.3:
        it.make = dice.choice(OTHER_TYPES)


SPOILERS: tuple[Callable[[random.Random, Garbage], None], ...] = (
    _spoil_args, _spoil_args, _random_args, _random_args, _spoil_function, _spoil_state, _spoil_field, _spoil_field,
    _spoil_field, _spoil_limit, _leave_out, _another_type,
)  # fmt: skip
