"""Judges a JSON value by a JSON Schema: the keywords that catalogs hold. Whatever else a schema says lets a value pass.

So a value that is refused here is wrong, and one that passes may still be refused by whoever knows more. Patterns are
passed over: who wrote a catalog shall not choose how long this takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_STEPS = 100_000
"""What one value may cost; beyond it a value passes."""
_DEEPEST = 200
"""How deep schemas may refer to each other; beyond it a value passes."""


class Fault(NamedTuple):
    """Where a value is not as its schema says, such as ".items[3]", and why."""

    path: str
    reason: str


def fault_of(schema: object, value: object) -> Fault | None:
    """The first fault of a value. A schema that is none passes everything."""
    return _Judge(schema).judge(schema, value, "", 0)


class _Judge:
    def __init__(self, root: object) -> None:
        self._root, self._steps = root, 0

    def judge(self, schema: object, value: object, path: str, depth: int) -> Fault | None:
        if schema is False:
            return Fault(path, "there is no such member")
        self._steps += 1
        if not isinstance(schema, dict) or self._steps > _STEPS or depth > _DEEPEST:
            return None
        return (
            self._referred(schema, value, path, depth)
            or _wrong_type(schema, value, path)
            or _wrong_value(schema, value, path)
            or self._combined(schema, value, path, depth)
            or (self._items(schema, value, path, depth) if isinstance(value, list) else None)
            or (self._members(schema, value, path, depth) if isinstance(value, dict) else None)
        )

    def _referred(self, schema: Mapping[str, Any], value: object, path: str, depth: int) -> Fault | None:
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        return self.judge(resolved(self._root, reference), value, path, depth + 1)

    def _combined(self, schema: Mapping[str, Any], value: object, path: str, depth: int) -> Fault | None:
        for one in _list_of(schema.get("allOf")):
            if fault := self.judge(one, value, path, depth + 1):
                return fault
        return self._one_of(_list_of(schema.get("anyOf", schema.get("oneOf"))), value, path, depth)

    def _one_of(self, choices: Sequence[object], value: object, path: str, depth: int) -> Fault | None:
        nearest: Fault | None = None
        for choice in choices:
            fault = self.judge(choice, value, path, depth + 1)
            if fault is None:
                return None
            # What fits further in is what was meant.
            if nearest is None or len(fault.path) > len(nearest.path):
                nearest = fault
        if nearest is None or nearest.path != path or len(choices) == 1:
            return nearest
        types = [type for it in choices if isinstance(it, dict) for type in _list_of(it.get("type"))]
        return _mismatch(types, value, path) if len(types) == len(choices) else nearest

    def _items(self, schema: Mapping[str, Any], items: list[Any], path: str, depth: int) -> Fault | None:
        if _is_below(len(items), least := schema.get("minItems")):
            return Fault(path, f"expected at least {least} items")
        if _is_above(len(items), most := schema.get("maxItems")):
            return Fault(path, f"expected at most {most} items")
        first, rest = _list_of(schema.get("prefixItems")), schema.get("items")
        each = ((f"[{at}]", first[at] if at < len(first) else rest, item) for at, item in enumerate(items))
        return self._parts(each, path, depth)

    def _members(self, schema: Mapping[str, Any], value: dict[str, Any], path: str, depth: int) -> Fault | None:
        for name in _list_of(schema.get("required")):
            if name not in value:
                return Fault(f"{path}.{name}", "it is missing")
        known, others = schema.get("properties"), others_of(schema)
        known = known if isinstance(known, dict) else {}
        return self._parts(((f".{name}", known.get(name, others), part) for name, part in value.items()), path, depth)

    def _parts(self, parts: Iterable[tuple[str, object, object]], path: str, depth: int) -> Fault | None:
        for step, schema, part in parts:
            if fault := self.judge(schema, part, path + step, depth + 1):
                return fault
        return None


def others_of(schema: Mapping[str, Any]) -> object:
    """The schema of members without a name of their own; None where a pattern, which is passed over, may allow them."""
    return None if "patternProperties" in schema else schema.get("additionalProperties")


def resolved(root: object, reference: str) -> object:
    """What a reference such as "#/$defs/Order" leads to in a schema; None where there is nothing."""
    found = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[object, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or float.is_integer(value)),  # type: ignore[arg-type]
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _wrong_type(schema: Mapping[str, Any], value: object, path: str) -> Fault | None:
    types = _list_of(schema.get("type"))
    if not types or any(not isinstance(one, str) or one not in _TYPES or _TYPES[one](value) for one in types):
        return None
    return _mismatch(types, value, path)


def _mismatch(types: Iterable[object], value: object, path: str) -> Fault:
    got = next((str(name) for name, holds in _TYPES.items() if holds(value)), type(value).__name__)
    return Fault(path, f"expected {' or '.join(map(str, dict.fromkeys(types)))}, got {got}")


def _wrong_value(schema: Mapping[str, Any], value: object, path: str) -> Fault | None:
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(allowed, list) and not any(_is_same(one, value) for one in allowed):
        listed = json.dumps(allowed, ensure_ascii=False, separators=(",", ":"))[1:-1]
        return Fault(path, f"expected {'one of ' if len(allowed) > 1 else ''}{listed}")
    reasons = _lengths(schema, value) if isinstance(value, str) else _ranges(schema, value)
    return next((Fault(path, reason) for reason in reasons), None)


def _is_same(one: object, other: object) -> bool:
    # To Python, True is 1; to JSON it is not.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _ranges(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if not _is_number(value):
        return
    if _is_below(value, bound := schema.get("minimum")):
        yield f"expected at least {bound}"
    if _is_above(value, bound := schema.get("maximum")):
        yield f"expected at most {bound}"
    if _is_number(bound := schema.get("exclusiveMinimum")) and value <= bound:
        yield f"expected more than {bound}"
    if _is_number(bound := schema.get("exclusiveMaximum")) and value >= bound:
        yield f"expected less than {bound}"


def _lengths(schema: Mapping[str, Any], value: str) -> Iterator[str]:
    if _is_below(len(value), bound := schema.get("minLength")):
        yield f"expected at least {bound} characters"
    if _is_above(len(value), bound := schema.get("maxLength")):
        yield f"expected at most {bound} characters"


def _is_below(value: float, bound: Any) -> bool:
    return _is_number(bound) and value < bound


def _is_above(value: float, bound: Any) -> bool:
    return _is_number(bound) and value > bound


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
