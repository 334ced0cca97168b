"""Runs the value vectors: pure functions, each text or number in, a text or number out."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from conformance import tasks
from conformance.vectors import Case, cases, entry_bytes, to_args, to_bytes
from doshit.errors import BadArguments, BadValue, ConfigurationError, ResultNotJson
from doshit.values.backoff import backoff
from doshit.values.catalog import catalog_sha, read_entry
from doshit.values.codec import decode_value, encode_result
from doshit.values.ids import uuid7
from doshit.values.keys import Keys
from doshit.values.names import check_id, check_prefix, check_queue
from doshit.values.schema import fault_of
from doshit.values.signature import Signature
from doshit.values.times import format_timestamp, parse_timestamp

CASES = cases("values")
CHECKS = {"queue": check_queue, "prefix": check_prefix, "id": check_id}
FUNCTIONS = {
    "echo": tasks.echo,
    "add": tasks.add,
    "nothing": tasks.nothing,
    "any": tasks.any_value,
}


def vectors(file: str) -> pytest.MarkDecorator:
    """One test for each case of a file."""
    chosen = [name for name in CASES if name.startswith(f"{file}: ")]
    assert chosen
    return pytest.mark.parametrize("name", chosen, ids=str)


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]


@vectors("keys")
def test_key(case: Case) -> None:
    key = getattr(Keys(case["prefix"]), case["key"])
    assert (key(case["of"]) if "of" in case else key) == case["text"]


@vectors("timestamps")
def test_timestamp(case: Case) -> None:
    if case.get("refused"):
        with pytest.raises(ValueError):
            parse_timestamp(case["text"])
        return
    zone = timezone(timedelta(minutes=case.get("offset_minutes", 0)))
    moment = datetime(*case["moment"]).replace(tzinfo=zone)
    assert format_timestamp(moment) == case["text"]
    assert parse_timestamp(case["text"]) == moment.astimezone(UTC)


@vectors("backoff")
def test_backoff(case: Case) -> None:
    assert backoff(case["attempt"], case["first"], case["factor"], case["ceiling"]) == case["seconds"]


@vectors("names")
def test_name(case: Case) -> None:
    check = CHECKS[case["kind"]]
    if case["accepted"]:
        assert check(case["text"]) == case["text"]
    else:
        with pytest.raises(ConfigurationError):
            check(case["text"])


@vectors("uuid7")
def test_uuid7(case: Case) -> None:
    assert uuid7(int(case["milliseconds"], 16), int(case["random"], 16)) == case["text"]


@vectors("args")
def test_args(case: Case) -> None:
    signature: Signature = FUNCTIONS[case["function"]].signature
    raw = to_args(case["args"])
    if "taken" in case:
        positional, keywords = signature.decode(raw)
        assert dict(zip(case["taken"], positional, strict=True)) == case["taken"]
        assert not keywords
        return
    with pytest.raises(BadArguments) as refused:
        signature.decode(raw)
    assert case["refused"] == "bad-args"
    assert case.get("says", "") in refused.value.reason


@vectors("results")
def test_result(case: Case) -> None:
    assert encode_result(decode_value(to_bytes(case["text"]))) == to_bytes(case["text"])


def loop() -> list[object]:
    itself: list[object] = []
    itself.append(itself)
    return itself


MAKERS: dict[str, Callable[..., object]] = {
    "not-a-number": lambda: math.nan,
    "infinity-in": lambda name: {name: math.inf},
    "negative-zero": lambda: -0.0,
    "moment": lambda seconds: datetime.fromtimestamp(seconds, UTC),
    "bytes": to_bytes,
    "lone-surrogate": lambda: "\ud83d",
    "integer": int,
    "loop": loop,
}


@vectors("json")
def test_json(case: Case) -> None:
    if "text" not in case:
        kind, *rest = case["value"]
        if "writes" in case:
            assert encode_result(MAKERS[kind](*rest)).decode() in case["writes"]
        else:
            with pytest.raises(ResultNotJson, match=re.escape(case["refused"])):
                encode_result(MAKERS[kind](*rest))
    elif "refused" in case:
        with pytest.raises(BadValue, match=re.escape(case["refused"])):
            decode_value(to_args(case["text"]))
    else:
        value = decode_value(to_args(case["text"]))
        assert "value" not in case or value == case["value"][1]
        assert "written" not in case or encode_result(value) == to_args(case["written"])


@vectors("catalog")
def test_catalog(case: Case) -> None:
    assert catalog_sha(case["entries"]) == case["sha"]


@vectors("entries")
def test_entry(case: Case) -> None:
    fault = fault_of(read_entry(entry_bytes(case)).parameters, case["args"])
    assert fault == (None if case.get("passes") else (case["path"], case["reason"]))


@vectors("schema")
def test_schema(case: Case) -> None:
    fault = fault_of(case["schema"], case["value"])
    assert fault == (None if case.get("passes") else (case["path"], case["reason"]))
