"""Makes types of the JSON Schemas in a catalog. Knows no language that they are written in.

What a schema does not say, or says in a way that is not known here, is `Anything`. However a schema is made, what comes
of it is finite and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doshit.values.catalog import Entry
from doshit.values.schema import others_of, resolved

DOC = 4000
"""Characters of a doc that are kept in the source that is written."""
_PARTS = 5000
"""Of the types of one function; what goes beyond is Anything."""
_DEEPEST = 30
# What these names mean in the source that is written must not be hidden.
_MEANT = frozenset(["Functions", "Array", "Record", "Remote", "AsyncRemote", "Doshit", "Handle", "OptionFields"])
_MEANT |= {"Any", "Literal", "NotRequired", "TypedDict", "Unpack", "None", "True", "False"}
_SCALARS = frozenset(["integer", "number", "string", "boolean", "null"])


@dataclass(frozen=True)
class Anything:
    """Any JSON value."""


@dataclass(frozen=True)
class Scalar:
    """kind: integer, number, string, boolean or null."""

    kind: str


@dataclass(frozen=True)
class Choice:
    """One of these values: text, whole numbers and booleans."""

    values: tuple[str | int | bool, ...]


@dataclass(frozen=True)
class ListOf:
    item: Shape


@dataclass(frozen=True)
class Items:
    """A list with a type for each place."""

    items: tuple[Shape, ...]


@dataclass(frozen=True)
class MapOf:
    value: Shape


@dataclass(frozen=True)
class Named:
    """A reference to an object of its function; it may lead back to where it stands."""

    name: str


@dataclass(frozen=True)
class OneOf:
    parts: tuple[Shape, ...]


Shape = Anything | Scalar | Choice | ListOf | Items | MapOf | Named | OneOf


@dataclass(frozen=True)
class Field:
    name: str
    shape: Shape
    required: bool


@dataclass
class Function:
    """A function to be called. objects: what Named leads to, in order; is_open: takes other parameters too."""

    name: str
    queue: str
    doc: str
    fields: list[Field] = field(default_factory=list)
    is_open: bool = False
    returns: Shape = field(default_factory=Anything)
    objects: dict[str, list[Field]] = field(default_factory=dict)


def functions_of(entries: Mapping[str, Entry]) -> list[Function]:
    """The functions by name. Names that are no text are left out: no source could call them."""
    taken = set(_MEANT)
    named = sorted((name, entry) for name, entry in entries.items() if _is_text(name))
    return [_Reader(name, entry, taken).function() for name, entry in named]


def pascal(text: str) -> str:
    """A name for a type: ASCII letters and digits, and a capital first."""
    words = re.findall(r"[A-Za-z0-9]+", text[:100])
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"T{joined}"


def free_name(wanted: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken; it is taken then."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}{number}", number + 1
    taken.add(name)
    return name


class _Reader:
    """Reads one function."""

    def __init__(self, name: str, entry: Entry, taken: set[str]) -> None:
        self._entry, self._taken, self._parts = entry, taken, 0
        self._function = Function(name, entry.queue, entry.doc)
        # The objects that references lead to, and the references that are being read now.
        self._named: dict[tuple[int, str], str] = {}
        self._open: set[tuple[int, str]] = set()

    def function(self) -> Function:
        made, parameters = self._function, self._entry.parameters
        made.fields = self._fields(parameters, parameters, pascal(made.name), 0)
        made.is_open = others_of(parameters) is not False
        returns = self._entry.returns
        made.returns = self._shape(returns, returns, f"{pascal(made.name)}Result", 0)
        return made

    def _shape(self, root: Any, schema: Any, name: str, depth: int) -> Shape:
        self._parts += 1
        if not isinstance(schema, Mapping) or self._parts > _PARTS or depth > _DEEPEST:
            return Anything()
        if isinstance(schema.get("$ref"), str):
            return self._referred(root, schema["$ref"], depth)
        if isinstance(values := [schema["const"]] if "const" in schema else schema.get("enum"), list):
            return _choice(values)
        for several in ("anyOf", "oneOf"):
            if isinstance(schema.get(several), list):
                return one_of(self._shape(root, part, name, depth + 1) for part in schema[several])
        kinds = schema.get("type")
        if isinstance(kinds, list):
            return one_of(self._typed(root, schema, kind, name, depth) for kind in kinds)
        return self._typed(root, schema, kinds, name, depth)

    def _typed(self, root: Any, schema: Mapping[str, Any], kind: Any, name: str, depth: int) -> Shape:
        if kind == "array":
            return self._array(root, schema, name, depth)
        if kind == "object":
            return self._object(root, schema, name, depth)
        return Scalar(kind) if isinstance(kind, str) and kind in _SCALARS else Anything()

    def _array(self, root: Any, schema: Mapping[str, Any], name: str, depth: int) -> Shape:
        first = schema.get("prefixItems")
        if isinstance(first, list) and first and schema.get("items") is False:
            return Items(tuple(self._shape(root, part, name, depth + 1) for part in first))
        return ListOf(self._shape(root, schema.get("items"), name, depth + 1))

    def _object(self, root: Any, schema: Mapping[str, Any], name: str, depth: int) -> Shape:
        if isinstance(schema.get("properties"), Mapping):
            return Named(self._define(root, schema, free_name(name, self._taken), depth))
        return MapOf(self._shape(root, others_of(schema), name, depth + 1))

    def _define(self, root: Any, schema: Mapping[str, Any], name: str, depth: int) -> str:
        self._function.objects[name] = []  # it has its place before what it holds
        self._function.objects[name] = self._fields(root, schema, name, depth)
        return name

    def _fields(self, root: Any, schema: Mapping[str, Any], name: str, depth: int) -> list[Field]:
        known, required = schema.get("properties"), schema.get("required")
        needed = set(map(str, required)) if isinstance(required, list) else set()
        if not isinstance(known, Mapping):
            return []
        return [
            Field(each, self._shape(root, part, name + pascal(each), depth + 1), each in needed)
            for each, part in known.items()
        ]

    def _referred(self, root: Any, reference: str, depth: int) -> Shape:
        key = id(root), reference
        if key in self._named:
            return Named(self._named[key])
        target = resolved(root, reference) if reference.startswith("#") else None
        name = pascal(self._function.name) + pascal(reference.rpartition("/")[2])
        if isinstance(target, Mapping) and isinstance(target.get("properties"), Mapping):
            # Known before its parts are read, so that it may hold itself.
            self._named[key] = free_name(name, self._taken)
            return Named(self._define(root, target, self._named[key], depth))
        if key in self._open:
            return Anything()
        self._open.add(key)
        shape = self._shape(root, target, name, depth + 1)
        self._open.discard(key)
        return shape


def one_of(parts: Iterable[Shape]) -> Shape:
    """One type of several, without doubles."""
    flat: dict[Shape, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, OneOf) else (part,)))
    if not flat or Anything() in flat:
        return Anything()
    return next(iter(flat)) if len(flat) == 1 else OneOf(tuple(flat))


def _choice(values: list[Any]) -> Shape:
    """An enumeration: types have literals for some values, and for the others only their kind."""
    literal = [value for value in values if isinstance(value, (str, int))]
    kinds = [_kind(value) for value in values if not isinstance(value, (str, int))]
    # To Python, True is 1; as types they differ.
    plain = tuple({(type(value), value): value for value in literal}.values())
    return one_of([*([Choice(plain)] if plain else []), *kinds])


def _kind(value: Any) -> Shape:
    return Scalar("null") if value is None else Scalar("number") if isinstance(value, float) else Anything()


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
