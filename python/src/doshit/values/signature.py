"""What a function takes: binds a call to JSON at the caller, and JSON to a call in the worker. Runs nothing.

Arguments travel as one JSON object, one member per parameter by name, and the same decoder judges them at both ends, so
a call that was pushed is a call that its function takes. A parameter that is not given is not sent: its default is the
worker's, and a rolling deploy can change it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec.structs import astuple

from doshit.errors import BadArguments, BadTask
from doshit.values import codec

# Positional and keyword arguments, ready for function(*arguments[0], **arguments[1]).
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_Mode = Literal["validation", "serialization"]

_MISSING = "object missing required field "
_UNKNOWN = "object contains unknown field "
_FIRST_STEP = re.compile(r"\.([^.\[]+)")
_CANNOT = {
    inspect.Parameter.VAR_POSITIONAL: "takes *{name}; take one list parameter instead",
    inspect.Parameter.POSITIONAL_ONLY: "has the positional-only parameter {name!r}; remove the / after it",
}
# Shared and never written to: a call copies it.
_NO_KEYWORDS: dict[str, Any] = {}
_members: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the annotations amount to. struct: one field per parameter, in the function's order."""

    struct: type[msgspec.Struct]
    decoder: msgspec.json.Decoder[msgspec.Struct]
    keyword_only: tuple[str, ...]
    extra: msgspec.json.Decoder[Any] | None  # of a member that goes into **kwargs
    all_positional: bool


class Signature:
    """What one function takes. Made once, at decoration; annotations are read at the first use, or by `prepare`.

    A parameter without annotation, or annotated Any or object, takes any JSON value as plain Python data.
    """

    def __init__(self, function: Callable[..., Any], name: str, parameters: list[inspect.Parameter]) -> None:
        self.name = name
        self._function = function
        self._extra = next((each.name for each in parameters if each.kind is each.VAR_KEYWORD), None)
        self._parameters = {each.name: each for each in parameters if each.name != self._extra}
        self._positional = tuple(
            each.name for each in self._parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD
        )

    @classmethod
    def of(cls, function: Callable[..., Any], name: str = "") -> Signature:
        """The signature of a plain or async function; name is how errors call it, by default the function's own.

        Raises BadTask for what JSON members by name cannot carry: *args and positional-only parameters.
        """
        if not inspect.isfunction(function):
            raise BadTask(f"{name or function!r} is not a plain function; wrap it in a def or async def")
        parameters = list(inspect.signature(function).parameters.values())
        name = name or function.__name__
        for each in parameters:
            if each.kind in _CANNOT:
                what = _CANNOT[each.kind].format(name=each.name)
                raise BadTask(f"{name} {what}: arguments travel as a JSON object, one member per parameter by name")
            if each.name == "__proto__":
                raise BadTask(f"{name}: no language takes a member named __proto__; rename the parameter")
        return cls(function, name, parameters)

    def prepare(self) -> None:
        """Reads the annotations now. Raises BadTask, naming the parameter, when JSON cannot carry one of them."""
        self._plan  # noqa: B018 - made on first access

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The call as the JSON object to push, judged as its worker will judge it. Raises BadArguments.

        A value that JSON writes like the annotated type passes too: ISO text for a date, a dict for a dataclass.
        """
        named = self._by_name(args, kwargs)
        try:
            raw = codec.encode(named)
        except codec.NotJson as fault:
            raise self._refusal(fault) from fault
        self.decode(raw)
        return raw

    def decode(self, raw: bytes) -> Arguments:
        """The arguments in this JSON object, as their annotations say; no bytes at all are an empty object.

        Raises BadArguments, and nothing else, whatever the bytes. Of members with the same name the last one counts.
        """
        plan, raw = self._plan, raw or b"{}"
        try:
            values = astuple(plan.decoder.decode(raw))
            # __proto__ cannot be written without an underscore or a backslash: 35 ns for what looking for it costs 140.
            if 95 in raw or 92 in raw:
                codec.refuse_proto(raw)
            return (values, _NO_KEYWORDS) if plan.all_positional else self._split(plan, values, raw)
        except codec.NotJson as fault:
            raise self._refusal(fault) from fault
        except Exception as error:
            raise self._refusal(codec.explain(raw, error)) from error

    @cached_property
    def returns(self) -> Any:
        """What codec.decode_value_as reads a result back as: the annotation, or Any where JSON has no such type."""
        kind = self._hints.get("return", Any)
        return Any if _refused(kind) else kind

    def json_schema(self) -> dict[str, Any]:
        """The function for a catalog: {"parameters", "returns", "doc", "defaults"}, all of it plain JSON.

        parameters and returns are JSON Schemas (draft 2020-12) that demand nothing where anything goes; defaults holds
        what JSON can carry of the defaults, the rest of them only show as parameters that are not required.
        """
        parameters = _schema(self._plan.struct, "validation")
        name = parameters.pop("$ref").rpartition("/")[2]
        parameters = parameters["$defs"].pop(name) | {key: defs for key, defs in parameters.items() if defs}
        del parameters["title"]
        if self._extra is not None:
            parameters["additionalProperties"] = _schema(self._hints.get(self._extra, Any), "validation")
        return {
            "parameters": parameters,
            "returns": _schema(self.returns, "serialization"),
            "doc": inspect.getdoc(self._function) or "",
            "defaults": dict(self._json_defaults()),
        }

    @cached_property
    def _hints(self) -> dict[str, Any]:
        # Not at decoration: a name may be defined further down in the module.
        try:
            return get_type_hints(self._function, include_extras=True)
        except NameError as error:
            raise BadTask(
                f"{self.name}: the annotation {error.name!r} cannot be resolved; "
                "define or import it at module level, outside `if TYPE_CHECKING`"
            ) from error
        except Exception as error:
            raise BadTask(f"{self.name}: its annotations cannot be read: {error}") from error

    @cached_property
    def _plan(self) -> _Plan:
        for name in [*self._parameters, *([self._extra] if self._extra else [])]:
            if why := _refused(self._hints.get(name, Any)):
                raise BadTask(
                    f"{self.name}: JSON cannot carry parameter {name!r}: {why}; use JSON types, dates, Decimal, UUID, "
                    "bytes, enums, dataclasses, TypedDicts, msgspec Structs or pydantic models"
                )
        struct = self._make_struct()
        keyword_only = tuple(self._parameters)[len(self._positional) :]
        extra = None if self._extra is None else codec.make_decoder(self._hints.get(self._extra, Any))
        all_positional = not keyword_only and extra is None
        return _Plan(struct, codec.make_decoder(struct), keyword_only, extra, all_positional)

    def _make_struct(self) -> type[msgspec.Struct]:
        # Fields are numbered and renamed, so that no parameter's name can meet an attribute of Struct.
        numbered = {f"p{at}": each for at, each in enumerate(self._parameters.values())}
        return msgspec.defstruct(
            self.name,
            [(field, self._hints.get(each.name, Any), _field(each)) for field, each in numbered.items()],
            rename={field: each.name for field, each in numbered.items()},
            forbid_unknown_fields=self._extra is None,
            kw_only=True,
            gc=False,  # it lives for one call only, so it needs no place in the collector's lists
        )

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if len(args) > len(self._positional):
            most = len(self._positional)
            limit = f"at most {most} positional argument{'s' if most != 1 else ''}, got {len(args)}"
            raise BadArguments(f"takes {limit}; {self._listed()}", self.name)
        named = dict(zip(self._positional, args, strict=False))
        for name in kwargs:
            if name in named:
                raise BadArguments(f"parameter {name!r} is given twice", self.name, name)
        named.update(kwargs)
        return named

    def _split(self, plan: _Plan, values: tuple[Any, ...], raw: bytes) -> Arguments:
        count = len(self._positional)
        keywords = dict(zip(plan.keyword_only, values[count:], strict=True))
        if plan.extra is not None:
            keywords.update(self._extras(plan.extra, raw))
        return values[:count], keywords

    def _extras(self, decoder: msgspec.json.Decoder[Any], raw: bytes) -> Iterator[tuple[str, Any]]:
        for name, member in _members.decode(raw).items():
            if name in self._parameters:
                continue
            try:
                yield name, decoder.decode(member)
            except Exception as error:
                fault = codec.explain(bytes(member), error)
                raise codec.NotJson(f".{name}{fault.path}", fault.reason) from error

    def _refusal(self, fault: codec.NotJson) -> BadArguments:
        """The fault in the caller's words: parameters instead of fields."""
        reason = fault.reason
        if fault.path:
            step = _FIRST_STEP.match(fault.path)
            return BadArguments(f"args{fault.path}: {reason}", self.name, step[1] if step else None)
        if reason.startswith(_MISSING):
            name = reason.removeprefix(_MISSING)
            return BadArguments(f"parameter {name!r} is missing", self.name, name)
        if reason.startswith(_UNKNOWN):
            name = reason.removeprefix(_UNKNOWN)
            return BadArguments(f"unknown parameter {name!r}; {self._listed()}", self.name, name)
        return BadArguments(f"args: {reason.replace('expected object', 'expected a JSON object')}", self.name)

    def _listed(self) -> str:
        return f"parameters are {', '.join(self._parameters)}" if self._parameters else "there are no parameters"

    def _json_defaults(self) -> Iterator[tuple[str, Any]]:
        for each in self._parameters.values():
            if each.default is each.empty:
                continue
            try:
                yield each.name, msgspec.json.decode(codec.encode(each.default))
            except codec.NotJson:
                continue


def _field(parameter: inspect.Parameter) -> Any:
    if parameter.default is parameter.empty:
        return msgspec.field()
    # A factory, because msgspec copies or refuses mutable defaults and Python hands over the same object each time.
    return msgspec.field(default_factory=lambda: parameter.default)


def _refused(kind: Any) -> str:
    """Why a value of this annotation cannot come from JSON, or nothing where it can."""
    try:
        node = msgspec.inspect.type_info(kind)
    except Exception as error:
        return str(error)
    strange = (cls for cls in _custom_types(node, set()) if cls is not object and not codec.is_model(cls))
    return next((f"{getattr(cls, '__name__', cls)} is no JSON type" for cls in strange), "")


def _custom_types(node: msgspec.Struct, seen: set[int]) -> Iterator[Any]:
    """The classes in an annotation that msgspec leaves to its caller. seen: for types that nest in themselves."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, msgspec.inspect.CustomType):
        yield node.cls
    for name in node.__struct_fields__:
        value = getattr(node, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, (msgspec.inspect.Type, msgspec.inspect.Field)):
                yield from _custom_types(part, seen)


def _schema(kind: Any, mode: _Mode) -> dict[str, Any]:
    """The JSON Schema of a type that is not refused. mode: pydantic's, for what is read or what is written."""
    nested: dict[str, Any] = {}

    def of_custom(custom: Any) -> dict[str, Any]:
        if custom is object:
            return {"$comment": "any JSON value"}  # msgspec takes an empty schema for none
        template = f"#/$defs/{custom.__name__}.{{model}}"
        schema: dict[str, Any] = custom.model_json_schema(ref_template=template, mode=mode)
        for name, held in schema.pop("$defs", {}).items():
            nested[f"{custom.__name__}.{name}"] = held
        return schema

    schema = msgspec.json.schema(kind, schema_hook=of_custom)
    if nested:
        schema["$defs"] = schema.get("$defs", {}) | nested
    if mode == "validation":
        _let_numbers_be_decimals(schema)
    return schema


def _let_numbers_be_decimals(schema: Any) -> None:
    """Decimals are written as text and read from numbers too, of which msgspec says nothing."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and schema.get("format") == "decimal":
            schema["type"] = ["string", "number"]
        for part in schema.values():
            _let_numbers_be_decimals(part)
    elif isinstance(schema, list):
        for part in schema:
            _let_numbers_be_decimals(part)
