"""What JSON can carry, what it cannot, and how the refusal says where."""

from __future__ import annotations

import collections
import enum
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doshit.errors import BadValue, ResultNotJson
from doshit.values import codec


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Number(float):
    pass


class Whole(int):
    pass


class Socket:
    pass


@dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


class Order(msgspec.Struct):
    id: int
    owner: Any = None


class Person(pydantic.BaseModel):
    name: str
    born: date | None = None
    weight: float = 70.0
    nick: str = pydantic.Field("", alias="nickName")


Pair = collections.namedtuple("Pair", "left right")

FALSY: list[tuple[object, bytes]] = [
    (None, b"null"),
    (False, b"false"),
    (0, b"0"),
    ("", b'""'),
    ([], b"[]"),
    ({}, b"{}"),
    (0.0, b"0.0"),
]

WRITTEN: list[tuple[object, bytes | None]] = [
    *FALSY,
    (True, b"true"),
    (-7, b"-7"),
    (2**53 + 1, b"9007199254740993"),
    (2**64, b"18446744073709551616"),
    (10**30, b"1" + b"0" * 30),
    (1.5, b"1.5"),
    ("ooh yeeah", b'"ooh yeeah"'),
    ("n\u00e4h \U0001f600", '"n\u00e4h \U0001f600"'.encode()),
    ('a"\\\n', b'"a\\"\\\\\\n"'),
    ("null", b'"null"'),
    ([1, [2, None]], b"[1,[2,null]]"),
    ((1, "a"), b'[1,"a"]'),
    ({5}, b"[5]"),
    (Pair(1, 2), b"[1,2]"),
    ({"a": {"b": None}}, b'{"a":{"b":null}}'),
    ({1: "one"}, b'{"1":"one"}'),
    (collections.OrderedDict(a=1), b'{"a":1}'),
    (datetime(2015, 12, 5, 0, 19, 1, 834909, tzinfo=UTC), b'"2015-12-05T00:19:01.834909Z"'),
    (date(2015, 12, 5), b'"2015-12-05"'),
    (timedelta(seconds=90), b'"PT90S"'),
    (Decimal("1.10"), b'"1.10"'),
    (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (b"\x00\xff", b'"AP8="'),
    (b"\xcb\x7f\xf8 and a null beside it", None),
    (Colour.RED, b'"red"'),
    (Level.HIGH, b"3"),
    (Text("safe"), b'"safe"'),
    (Number(1.5), b"1.5"),
    (Whole(4), b"4"),
    (Point(1, 2, ["a"]), b'{"x":1,"y":2,"tags":["a"]}'),
    (Order(1), b'{"id":1,"owner":null}'),
    (
        Person(name="Ada", born=date(1815, 12, 10), nickName="a"),
        b'{"name":"Ada","born":"1815-12-10","weight":70.0,"nickName":"a"}',
    ),
    ([{"who": Person(name="Ada", nickName="")}], b'[{"who":{"name":"Ada","born":null,"weight":70.0,"nickName":""}}]'),
]


@pytest.mark.parametrize(("value", "raw"), WRITTEN, ids=lambda value: getattr(value, "__name__", repr(value)[:40]))
def test_a_result_is_written_as_compact_json(value: object, raw: bytes | None) -> None:
    assert codec.encode_result(value) == (raw or msgspec.json.encode(value))


@pytest.mark.parametrize(("value", "raw"), FALSY)
def test_a_falsy_result_comes_back_as_itself(value: object, raw: bytes) -> None:
    back = codec.decode_value(raw)
    assert (type(back), back) == (type(value), value)


REFUSED = [
    (math.nan, "result: NaN and Infinity are not JSON"),
    ([1, [None, math.inf]], "result[1][1]: NaN and Infinity are not JSON"),
    ({"a": None, "b": -math.inf}, "result.b: NaN and Infinity are not JSON"),
    (Number("nan"), "result: NaN and Infinity are not JSON"),
    (Point(math.nan), "result.x: NaN and Infinity are not JSON"),
    (Order(1, {"rate": math.nan}), "result.owner.rate: NaN and Infinity are not JSON"),
    ([Person(name="Ada", weight=math.nan, nickName="")], "result[0].weight: NaN and Infinity are not JSON"),
    ([None, 2**70, math.nan], "result[2]: NaN and Infinity are not JSON"),
    ([b"\xcb\x7f\xf8", None, math.nan], "result[2]: NaN and Infinity are not JSON"),
    (Socket(), "result: object of type Socket is not JSON"),
    ({"items": [0, 1, 2, {"owner": Socket()}]}, "result.items[3].owner: object of type Socket is not JSON"),
    (Order(1, Socket()), "result.owner: object of type Socket is not JSON"),
    ([Point(1, 2, [Socket()])], "result[0].tags[0]: object of type Socket is not JSON"),  # type: ignore[list-item]
    (range(3), "result: object of type range is not JSON"),
    (1j, "result: object of type complex is not JSON"),
    ("\ud800", "result: a lone surrogate cannot be written as UTF-8"),
    ({"a": ["x", "\udfff"]}, "result.a[1]: a lone surrogate cannot be written as UTF-8"),
    ({"a": {"\ud800": 1}}, "result.a: a member name: a lone surrogate cannot be written as UTF-8"),
    ({"a": {None: 1}}, "result.a: a member name: object of type NoneType is not JSON"),
    ({"a": {(1, 2): 1}}, "result.a: a member name: object of type tuple is not JSON"),
    ({"big": 10**5000}, "result.big: Exceeds the limit"),
]


@pytest.mark.parametrize(("value", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_result_that_json_cannot_carry_is_refused_with_its_path(value: object, reason: str) -> None:
    with pytest.raises(ResultNotJson) as refusal:
        codec.encode_result(value)
    assert str(refusal.value).startswith(reason)


def test_a_result_that_holds_itself_is_refused() -> None:
    ring: list[object] = []
    ring.append({"again": ring})
    with pytest.raises(ResultNotJson, match="nested too deep, or it holds itself"):
        codec.encode_result(ring)


def test_a_result_nested_too_deep_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ResultNotJson, match="nested too deep"):
        codec.encode_result(deep)


def test_a_model_that_fails_while_it_is_written_is_refused_and_nothing_else_is_raised() -> None:
    class Moody(pydantic.BaseModel):
        x: int = 1

        @pydantic.field_serializer("x")
        def refuse(self, x: int) -> int:
            raise RuntimeError("not today\nnor tomorrow")

    with pytest.raises(ResultNotJson, match="not today nor tomorrow"):
        codec.encode_result([Moody()])


def test_a_reason_stays_one_short_line_whatever_the_value_holds() -> None:
    with pytest.raises(ResultNotJson) as refusal:
        codec.encode_result({"a\n\x1b[31m" + "b" * 10_000: Socket()})
    assert len(str(refusal.value)) < 700
    assert str(refusal.value).isprintable()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_every_json_value_survives_the_round_trip_exactly(value: object) -> None:
    back = codec.decode_value(codec.encode_result(value))
    assert back == value
    assert repr(back) == repr(value), "1 and 1.0 and True stay apart, and so do 0.0 and -0.0"


@given(st.lists(st.floats() | st.none() | st.binary() | st.integers() | st.text("nul\xcb\x7f"), max_size=6))
def test_a_result_is_refused_exactly_when_it_holds_a_number_that_is_not_finite(values: list[object]) -> None:
    if all(math.isfinite(each) for each in values if isinstance(each, float)):
        assert len(codec.decode_value(codec.encode_result(values))) == len(values)
    else:
        with pytest.raises(ResultNotJson, match="NaN and Infinity are not JSON"):
            codec.encode_result(values)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' {\n "a" : [ 1 , 2 ] }\n', {"a": [1, 2]}),
        (b'"n\\u00e4h \\ud83d\\ude00"', "n\u00e4h \U0001f600"),
        (b"1e2", 100.0),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"__proto__":1}', {"__proto__": 1}),
    ],
)
def test_json_of_any_producer_is_read(raw: bytes, value: object) -> None:
    assert codec.decode_value(raw) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "result-value: not valid JSON: it ends too early, at byte 0"),
        (b'{"a":', "result-value: not valid JSON: it ends too early, at byte 5"),
        (b"NaN", "result-value: not valid JSON at byte 0: NaN and Infinity are not JSON"),
        (b'{"a":Infinity}', "result-value: not valid JSON at byte 5: NaN and Infinity are not JSON"),
        (b"{}{}", "result-value: not valid JSON at byte 2"),
        (b"hello", "result-value: not valid JSON at byte 0"),
        (b'["a\xff"]', "result-value: not UTF-8 at byte 3"),
        (b'{"a":["\\ud800"]}', "result-value.a[0]: a lone surrogate is not text"),
        (b'{"a":["\\udc00 and some more"]}', "result-value.a[0]: a lone surrogate is not text"),
        (b'{"a":{"\\ud800 and some more":1}}', "result-value.a: a lone surrogate is not text"),
        (b"[1e999]", "result-value[0]: number out of range"),
        (b"[" + b"9" * 5000 + b"]", "result-value[0]: integer value out of range"),
        (b"[" * 100_000, "result-value: nested too deep"),
        (b"[" * 100_000 + b"]" * 100_000, "result-value: nested too deep"),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)[:40]),
)
def test_a_result_value_that_is_not_json_is_one_clear_error(raw: bytes, reason: str) -> None:
    with pytest.raises(BadValue) as refusal:
        codec.decode_value(raw)
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime(2015, 12, 5, tzinfo=UTC), datetime),
        (Decimal("1.10"), Decimal),
        (b"\x00\xff", bytes),
        ({1: {2, 3}}, dict[int, set[int]]),
        ((1, "a"), tuple[int, str]),
        (Colour.RED, Colour),
        ([Point(1, 2)], list[Point]),
        (Order(1, "Ada"), Order),
        ({"a": Person(name="Ada", nickName="b")}, dict[str, Person]),
        (None, Person | None),
        ({"a": [1]}, object),
        ("a", Literal["a", "b"]),
    ],
)
def test_a_result_is_read_back_as_its_annotation_says(value: object, kind: object) -> None:
    assert codec.decode_value_as(codec.encode_result(value), kind) == value


def test_an_annotation_that_cannot_be_hashed_is_read_too() -> None:
    from typing import Annotated

    assert codec.decode_value_as(b"[1]", Annotated[list[int], {"unit": "bytes"}]) == [1]


def test_a_result_that_does_not_fit_its_annotation_is_refused_with_its_path() -> None:
    with pytest.raises(BadValue, match=r"^result-value\[0\]\.x: expected float, got str"):
        codec.decode_value_as(b'[{"x":"one"}]', list[Point])


def test_a_broken_result_is_called_broken_even_when_its_type_is_wrong_too() -> None:
    with pytest.raises(BadValue, match="not valid JSON at byte 3"):
        codec.decode_value_as(b'"a"x', int)


@given(st.binary(max_size=40))
def test_no_bytes_make_decode_value_raise_anything_but_bad_value(raw: bytes) -> None:
    for kind in (object, int, list[Point], Person):
        try:
            codec.decode_value_as(raw, kind)
        except BadValue as refusal:
            assert str(refusal).isprintable()
