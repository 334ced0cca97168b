"""Calls are judged at the caller as in the worker, and no bytes whatever get past or hurt the worker."""

from __future__ import annotations

import enum
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doshit.errors import BadArguments, BadTask
from doshit.values import codec
from doshit.values.signature import Signature

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Colour(enum.Enum):
    RED = "red"


class Socket:
    pass


@dataclass
class Point:
    x: int
    y: int = 0


class Order(msgspec.Struct):
    id: int
    points: list[Point] = []


class Picky(msgspec.Struct):
    x: int

    def __post_init__(self) -> None:
        if self.x == 1:
            raise ValueError("one is\nnot liked")
        if self.x == 2:
            raise KeyError("two")


class Address(pydantic.BaseModel):
    city: str


class Person(pydantic.BaseModel):
    name: str
    born: date | None = None
    address: Address | None = None


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    when: datetime


def add(a: int, b: int) -> int:
    """Adds.

    Both are whole numbers.
    """
    return a + b


def echo(text: str) -> str:
    return text


def anything(a, b=None):
    return a, b


def power(base: float, *, exponent: float = 2.0, label: str) -> tuple[float, float, str]:
    return base, exponent, label


def tagged(first: int, second: str = "s", **more: int) -> object:
    return first, second, more


def nothing() -> None:
    return None


def later(order: DefinedBelow) -> DefinedBelow:
    return order


@dataclass
class DefinedBelow:
    x: int


def unresolved(a: Missing) -> None:
    return None


async def sleepy(a: int) -> int:
    return a


SHARED = ["the very same object"]


def with_defaults(a: int, items: list[str] = SHARED, nan: float = math.nan, when: date = date(2020, 1, 2)) -> Any:
    return items


def run(function: Callable[..., Any], raw: bytes) -> Any:
    args, kwargs = Signature.of(function).decode(raw)
    return function(*args, **kwargs)


def refusal(function: Callable[..., Any], raw: bytes) -> BadArguments:
    with pytest.raises(BadArguments) as caught:
        Signature.of(function).decode(raw)
    return caught.value


# Decoration


def test_star_args_are_refused_at_decoration_with_the_next_step() -> None:
    def total(*numbers: int) -> int:
        return sum(numbers)

    with pytest.raises(BadTask, match=r"^total takes \*numbers; take one list parameter instead: arguments travel as"):
        Signature.of(total)


def test_a_positional_only_parameter_is_refused_at_decoration_with_the_next_step() -> None:
    def half(number: int, /) -> float:
        return number / 2

    with pytest.raises(BadTask, match=r"^half has the positional-only parameter 'number'; remove the / after it"):
        Signature.of(half)


def test_a_parameter_named_proto_is_refused_at_decoration() -> None:
    def odd(__proto__: int) -> None:
        return None

    with pytest.raises(BadTask, match="__proto__"):
        Signature.of(odd)


@pytest.mark.parametrize("thing", [len, Socket, functools.partial(add, 1), 5, Socket()])
def test_what_is_no_plain_function_is_refused_at_decoration(thing: Any) -> None:
    with pytest.raises(BadTask, match="is not a plain function"):
        Signature.of(thing)


def test_a_name_defined_after_the_function_is_found_at_the_first_use() -> None:
    assert run(later, b'{"order":{"x":1}}') == DefinedBelow(1)


def test_a_name_that_cannot_be_resolved_is_no_error_at_decoration_and_a_clear_one_at_first_use() -> None:
    signature = Signature.of(unresolved)
    for use in (signature.prepare, lambda: signature.bind((1,), {}), lambda: signature.decode(b"{}")):
        with pytest.raises(BadTask, match="unresolved: the annotation 'Missing' cannot be resolved; define or import"):
            use()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Socket, "Socket is no JSON type"),
        (list[Socket], "Socket is no JSON type"),
        (dict[str, tuple[int, Socket]], "Socket is no JSON type"),
        (Callable[[], int], "Callable is no JSON type"),
        (complex, "complex is no JSON type"),
        (Person | int, "unions"),
    ],
)
def test_an_annotation_that_json_cannot_carry_is_refused_naming_the_parameter(kind: Any, reason: str) -> None:
    def take(thing: Any) -> None:
        return None

    take.__annotations__["thing"] = kind
    with pytest.raises(BadTask, match="take: JSON cannot carry parameter 'thing': .*" + reason):
        Signature.of(take).prepare()


def test_the_given_name_stands_in_every_error() -> None:
    signature = Signature.of(add, "sums.add")
    with pytest.raises(BadArguments) as caught:
        signature.decode(b"{}")
    assert caught.value.function == "sums.add"
    assert str(caught.value) == "sums.add: parameter 'a' is missing"


# What arrives


@pytest.mark.parametrize(
    ("function", "raw", "answer"),
    [
        (add, b'{"a":1,"b":2}', 3),
        (add, b'{\n  "b": 2,\n  "a": 1\n}\n', 3),
        (add, b'{"a":1,"a":5,"b":2}', 7),
        (add, b'{"a":123456789012345678901234567890,"b":1}', 123456789012345678901234567891),
        (add, b'{"\\u0061":1,"b":2}', 3),
        (echo, b'{ "text": "ooh yeeah" }', "ooh yeeah"),
        (echo, b'{"text":"__proto__"}', "__proto__"),
        (echo, b'{"text":"\\"__proto__\\":"}', '"__proto__":'),
        (echo, b'{"text":"\\u005f\\u005fproto__"}', "__proto__"),
        (echo, b'{"text":"\\ud83d\\ude00"}', "\U0001f600"),
        (anything, b'{"a":{"x":[1,2.5,null,true]}}', ({"x": [1, 2.5, None, True]}, None)),
        (anything, b'{"a":"__proto__","b":["__proto__"]}', ("__proto__", ["__proto__"])),
        (anything, b'{"a":' + b"9" * 4300 + b"}", (int("9" * 4300), None)),
        (power, b'{"base":3,"label":"x"}', (3.0, 2.0, "x")),
        (power, b'{"label":"x","exponent":0.5,"base":3}', (3.0, 0.5, "x")),
        (tagged, b'{"first":1}', (1, "s", {})),
        (tagged, b'{"first":1,"third":3,"a b":4}', (1, "s", {"third": 3, "a b": 4})),
        (nothing, b"{}", None),
        (nothing, b"", None),
        (with_defaults, b'{"a":1}', SHARED),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)[:40]),
)
def test_members_become_arguments_by_name(function: Callable[..., Any], raw: bytes, answer: object) -> None:
    assert run(function, raw) == answer


def test_an_absent_parameter_gets_the_very_default_of_the_function() -> None:
    assert run(with_defaults, b'{"a":1}') is SHARED


def test_an_async_function_is_decoded_alike() -> None:
    assert Signature.of(sleepy).decode(b'{"a":1}') == ((1,), {})


KINDS: list[tuple[Any, Any, bytes]] = [
    (datetime, datetime(2015, 12, 5, tzinfo=UTC), b'"2015-12-05T00:00:00Z"'),
    (date, date(2015, 12, 5), b'"2015-12-05"'),
    (Decimal, Decimal("1.10"), b'"1.10"'),
    (UUID, UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (bytes, b"\x00\xff", b'"AP8="'),
    (Colour, Colour.RED, b'"red"'),
    (set[int], {5}, b"[5]"),
    (tuple[int, str], (1, "a"), b'[1,"a"]'),
    (dict[int, str], {1: "a"}, b'{"1":"a"}'),
    (Point, Point(1, 2), b'{"x":1,"y":2}'),
    (Order, Order(1, [Point(1, 2)]), b'{"id":1,"points":[{"x":1,"y":2}]}'),
    (Person, Person(name="Ada", born=date(1815, 12, 10)), b'{"name":"Ada","born":"1815-12-10","address":null}'),
    (list[Person | None], [None], b"[null]"),
    (Strict, Strict(when=datetime(2020, 1, 1)), b'{"when":"2020-01-01T00:00:00"}'),
    (int | str | None, None, b"null"),
    (Literal["a", 1], 1, b"1"),
    (Annotated[int, msgspec.Meta(ge=1)], 1, b"1"),
    (object, {"a": [1]}, b'{"a":[1]}'),
    (dict[str, object], {"a": [1]}, b'{"a":[1]}'),
]


@pytest.mark.parametrize(("kind", "value", "raw"), KINDS, ids=[str(kind) for kind, _, _ in KINDS])
def test_a_typed_argument_travels_and_arrives_as_itself(kind: Any, value: object, raw: bytes) -> None:
    def take(thing: Any) -> None:
        return None

    take.__annotations__["thing"] = kind
    signature = Signature.of(take)
    assert signature.bind((value,), {}) == b'{"thing":' + raw + b"}"
    assert signature.decode(b'{"thing":' + raw + b"}") == ((value,), {})


# What is refused

REFUSED: list[tuple[Callable[..., Any], bytes, str, str | None]] = [
    (echo, b"[]", "args: expected a JSON object, got array", None),
    (echo, b"5", "args: expected a JSON object, got int", None),
    (echo, b'"text"', "args: expected a JSON object, got str", None),
    (echo, b"null", "args: expected a JSON object, got null", None),
    (echo, b" ", "args: not valid JSON: it ends too early, at byte 1", None),
    (echo, b'{"text":', "args: not valid JSON: it ends too early, at byte 8", None),
    (echo, b"{'text':'a'}", "args: not valid JSON at byte 1", None),
    (echo, b'{"text":"a"} tail', "args: not valid JSON at byte 13", None),
    (add, b'{"a":"x","b":2}}', "args: not valid JSON at byte 15", None),
    (anything, b'{"a":NaN}', "args: not valid JSON at byte 5: NaN and Infinity are not JSON", None),
    (anything, b'{"a":Infinity}', "args: not valid JSON at byte 5: NaN and Infinity are not JSON", None),
    (anything, b'{"a":-Infinity}', "args: not valid JSON at byte 6: NaN and Infinity are not JSON", None),
    (anything, b'{"a":[1e999]}', "args.a[0]: number out of range", "a"),
    (anything, b'{"a":' + b"9" * 5000 + b"}", "args.a: integer value out of range", "a"),
    (add, b'{"a":' + b"9" * 5000 + b',"b":1}', "args.a: integer value out of range", "a"),
    (anything, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "args: nested too deep", None),
    (echo, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "args: nested too deep", None),
    (echo, b'{"text":"a\xffb"}', "args: not UTF-8 at byte 10", None),
    (echo, b'{"te\xffxt":"a"}', "args: not UTF-8 at byte 4", None),
    (echo, '{"text":"a"}'.encode("utf-16"), "args: not UTF-8 at byte 0", None),
    (echo, b'\xef\xbb\xbf{"text":"a"}', "args: not valid JSON at byte 0", None),
    (echo, b'{"text":"\xed\xa0\x80"}', "args: not UTF-8 at byte 9", None),
    (echo, b'{"text":"\\ud800"}', "args.text: a lone surrogate is not text", "text"),
    (echo, b'{"text":"a \\udc00 and so on"}', "args.text: a lone surrogate is not text", "text"),
    (anything, b'{"a":[{"b":"\\ud83d?"}]}', "args.a[0].b: a lone surrogate is not text", "a"),
    (anything, b'{"a":["\\ud800 first","\\ud800 second"]}', "args.a[0]: a lone surrogate is not text", "a"),
    (anything, b'{"a":{"x":"\\ud800 first"},"b":"\\ud800 second"}', "args.a.x: a lone surrogate is not text", "a"),
    (echo, b'{"text":5}', "args.text: expected str, got int", "text"),
    (add, b'{"a":1,"b":"2"}', "args.b: expected int, got str", "b"),
    (add, b'{"a":1,"b":2.0}', "args.b: expected int, got float", "b"),
    (add, b'{"a":1,"b":true}', "args.b: expected int, got bool", "b"),
    (add, b'{"a":1,"b":null}', "args.b: expected int, got null", "b"),
    (add, b'{"a":1}', "parameter 'b' is missing", "b"),
    (add, b"{}", "parameter 'a' is missing", "a"),
    (add, b"", "parameter 'a' is missing", "a"),
    (power, b'{"base":1}', "parameter 'label' is missing", "label"),
    (add, b'{"a":1,"b":2,"c":3}', "unknown parameter 'c'; parameters are a, b", "c"),
    (nothing, b'{"c":3}', "unknown parameter 'c'; there are no parameters", "c"),
    (tagged, b'{"first":1,"third":"x"}', "args.third: expected int, got str", "third"),
    (tagged, b'{"first":1,"third":"\\ud800"}', "args.third: a lone surrogate is not text", "third"),
    (later, b'{"order":{}}', "args.order: object missing required field x", "order"),
    (later, b'{"order":{"x":"1"}}', "args.order.x: expected int, got str", "order"),
    (add, b'{"__proto__":{},"a":1,"b":2}', "unknown parameter '__proto__'; parameters are a, b", "__proto__"),
    (tagged, b'{"first":1,"__proto__":1}', "args.__proto__: a member must not be named __proto__", "__proto__"),
    (anything, b'{"a":{"__proto__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (anything, b'{"a":[0,{"b":{"__proto__" : 1}}]}', "args.a[1].b.__proto__: a member must not be named", "a"),
    (anything, b'{"a":{"\\u005f_proto__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (anything, b'{"a":{"__pr\\u006Fto__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (anything, b'{"a":{"__pro\\u0074o__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (anything, b'{"a":{"__\\u0070roto__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (anything, b'{"a":{"__p\\u0072oto__":1}}', "args.a.__proto__: a member must not be named __proto__", "a"),
    (
        anything,
        b'{"a":{"\\u005F\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f":1}}',
        "args.a.__proto__: a member must not be named __proto__",
        "a",
    ),
    (later, b'{"order":{"x":1,"__proto__":1}}', "args.order.__proto__: a member must not be named", "order"),
]


@pytest.mark.parametrize(
    ("function", "raw", "reason", "parameter"), REFUSED, ids=lambda value: getattr(value, "__name__", repr(value)[:50])
)
def test_bad_arguments_are_refused_with_a_reason_that_says_where(
    function: Callable[..., Any], raw: bytes, reason: str, parameter: str | None
) -> None:
    refused = refusal(function, raw)
    assert refused.reason.startswith(reason)
    assert (refused.function, refused.parameter) == (function.__name__, parameter)


def test_a_model_s_complaint_names_the_parameter_and_the_path() -> None:
    def greet(people: list[Person]) -> None:
        return None

    refused = refusal(greet, b'{"people":[{"name":"Ada","address":{}}]}')
    assert refused.reason == "args.people[0]: address.city: Field required"
    assert refused.parameter == "people"


@pytest.mark.parametrize(("x", "reason"), [(1, "args.value: one is not liked"), (2, "args: KeyError: 'two'")])
def test_whatever_a_type_of_the_user_raises_becomes_bad_arguments(x: int, reason: str) -> None:
    def take(value: Picky) -> None:
        return None

    assert refusal(take, b'{"value":{"x":%d}}' % x).reason == reason


def test_a_reason_stays_one_short_printable_line() -> None:
    refused = refusal(add, b'{"\\u001b[31m\\n' + b"x" * 100_000 + b'":1}')
    assert len(refused.reason) < 400
    assert refused.reason.isprintable()


SCARY = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b" ", b'"', b"\\", b"1", b"-", b"null", b"NaN", b"1e999", b"9" * 4301),
        *(b'"a"', b'"b"', b'"__proto__"', b'"\\ud800"', b'"\xc3\xa4"', b"\\u005f", b"\xff", b"\xed\xa0\x80"),
    ]
)
LIKE_JSON = st.lists(SCARY, max_size=16).map(b"".join)


@given(st.binary(max_size=60) | LIKE_JSON | LIKE_JSON.map(lambda inner: b'{"a":' + inner + b"}"))
@example(b'{"a":1}')
def test_no_bytes_whatever_make_decode_raise_anything_but_bad_arguments(raw: bytes) -> None:
    for signature in EVERY_SIGNATURE:
        try:
            signature.decode(raw)
        except BadArguments as refused:
            assert refused.reason.isprintable()
            assert len(refused.reason) < 1000


def _model(a: Person, b: Picky | None = None) -> None:
    return None


EVERY_SIGNATURE = [Signature.of(each) for each in (add, echo, anything, tagged, power, nothing, _model)]


# What is sent


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "raw"),
    [
        (add, (1, 2), {}, b'{"a":1,"b":2}'),
        (add, (1,), {"b": 2}, b'{"a":1,"b":2}'),
        (add, (), {"b": 2, "a": 1}, b'{"b":2,"a":1}'),
        (nothing, (), {}, b"{}"),
        (anything, (1,), {}, b'{"a":1}'),
        (anything, (None, None), {}, b'{"a":null,"b":null}'),
        (power, (2,), {"label": "x"}, b'{"base":2,"label":"x"}'),
        (tagged, (1,), {"third": 3}, b'{"first":1,"third":3}'),
        (later, ({"x": 1},), {}, b'{"order":{"x":1}}'),
    ],
)
def test_a_call_becomes_one_json_object_without_what_was_not_given(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], raw: bytes
) -> None:
    assert Signature.of(function).bind(args, kwargs) == raw


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "reason", "parameter"),
    [
        (add, (1,), {}, "parameter 'b' is missing", "b"),
        (add, (1, 2, 3), {}, "takes at most 2 positional arguments, got 3; parameters are a, b", None),
        (add, (1, 2), {"b": 3}, "parameter 'b' is given twice", "b"),
        (add, (1, 2), {"c": 3}, "unknown parameter 'c'; parameters are a, b", "c"),
        (power, (1, 2), {"label": "x"}, "takes at most 1 positional argument, got 2", None),
        (add, (1, "2"), {}, "args.b: expected int, got str", "b"),
        (add, (1, 2.0), {}, "args.b: expected int, got float", "b"),
        (tagged, (1,), {"third": "x"}, "args.third: expected int, got str", "third"),
        (anything, (Socket(),), {}, "args.a: object of type Socket is not JSON", "a"),
        (anything, ([{"x": Socket()}],), {}, "args.a[0].x: object of type Socket is not JSON", "a"),
        (anything, (math.nan,), {}, "args.a: NaN and Infinity are not JSON", "a"),
        (power, (math.inf,), {"label": "x"}, "args.base: NaN and Infinity are not JSON", "base"),
        (echo, ("\ud800",), {}, "args.text: a lone surrogate cannot be written as UTF-8", "text"),
        (anything, ({"__proto__": 1},), {}, "args.a.__proto__: a member must not be named __proto__", "a"),
        (tagged, (1,), {"__proto__": 1}, "args.__proto__: a member must not be named __proto__", "__proto__"),
    ],
)
def test_a_wrong_call_is_refused_at_the_caller(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: str, parameter: str | None
) -> None:
    with pytest.raises(BadArguments) as caught:
        Signature.of(function).bind(args, kwargs)
    assert caught.value.reason.startswith(reason)
    assert caught.value.parameter == parameter


@given(
    a=st.integers(-(10**40), 10**40),
    b=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "_", "n\u00e4h", "null"]), inner),
        max_leaves=10,
    ),
)
def test_what_was_bound_is_what_arrives(a: int, b: object) -> None:
    signature = Signature.of(anything)
    assert signature.decode(signature.bind((a,), {"b": b})) == ((a, b), {})


@given(st.datetimes(timezones=st.just(UTC)), st.decimals(allow_nan=False), st.binary(), st.uuids())
def test_typed_values_arrive_exactly(when: datetime, price: Decimal, blob: bytes, id: UUID) -> None:
    def take(when: datetime, price: Decimal, blob: bytes, id: UUID) -> None:
        return None

    signature = Signature.of(take)
    (back, *rest), _ = signature.decode(signature.bind((when, price, blob, id), {}))
    assert (back, *map(repr, rest)) == (when, repr(price), repr(blob), repr(id))


# The catalog


def test_the_schema_says_parameters_returns_doc_and_defaults() -> None:
    assert Signature.of(add).json_schema() == {
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "returns": {"type": "integer"},
        "doc": "Adds.\n\nBoth are whole numbers.",
        "defaults": {},
    }


def test_a_default_that_json_cannot_carry_shows_only_as_not_required() -> None:
    schema = Signature.of(with_defaults).json_schema()
    assert schema["defaults"] == {"items": SHARED, "when": "2020-01-02"}
    assert schema["parameters"]["required"] == ["a"]
    assert schema["returns"] == {}


def test_a_decimal_is_read_from_a_number_too_and_written_as_text() -> None:
    def price(net: Decimal) -> Decimal:
        return net

    schema = Signature.of(price).json_schema()
    assert schema["parameters"]["properties"]["net"] == {"type": ["string", "number"], "format": "decimal"}
    assert schema["returns"] == {"type": "string", "format": "decimal"}


def test_members_for_double_star_show_as_additional_properties() -> None:
    assert Signature.of(tagged).json_schema()["parameters"]["additionalProperties"] == {"type": "integer"}


def test_schemas_of_nested_types_stand_in_defs_and_every_reference_leads_there() -> None:
    def visit(order: Order, people: list[Person]) -> Person:
        return people[0]

    schema = json.loads(json.dumps(Signature.of(visit).json_schema()))
    assert set(schema["parameters"]["$defs"]) == {"Order", "Point", "Person.Address"}
    for part in (schema["parameters"], schema["returns"]):
        for name in _references(part):
            assert name in part["$defs"]


def _references(schema: object) -> list[str]:
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    here = [schema["$ref"].removeprefix("#/$defs/")] if isinstance(schema, dict) and "$ref" in schema else []
    return here + [name for part in parts for name in _references(part)]


def test_a_return_annotation_that_json_has_not_reads_results_as_plain_values() -> None:
    def connect() -> Socket:
        return Socket()

    signature = Signature.of(connect)
    assert signature.returns is Any
    assert codec.decode_value_as(b'{"a":1}', signature.returns) == {"a": 1}
    assert signature.json_schema()["returns"] == {}


def test_a_result_is_read_back_by_the_signature_s_return_type() -> None:
    assert codec.decode_value_as(b'{"x":1}', Signature.of(later).returns) == DefinedBelow(1)


def test_signatures_never_import_pydantic() -> None:
    code = (
        "import sys; from doshit.values.signature import Signature\n"
        "def f(a: int, b: object = None): return a\n"
        "s = Signature.of(f); s.decode(s.bind((1,), {})); s.json_schema()\n"
        "assert not [name for name in sys.modules if name.startswith('pydantic')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
