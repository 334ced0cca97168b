"""Writes the functions as an interface for the Node client: `new Doshit<Functions>(...)`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from doshit.cli.text import many_lines, one_line
from doshit.cli.types.shapes import (
    DOC,
    Anything,
    Choice,
    Field,
    Function,
    Items,
    ListOf,
    MapOf,
    Named,
    OneOf,
    Scalar,
    Shape,
)

_SCALARS = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def source(functions: list[Function], mark: str) -> str:
    """A module of types. Every name and text in it is a JSON string of ASCII, or in a comment that it cannot end."""
    lines = [f"// {mark}: what is changed here is lost.", "", "export interface Functions {"]
    for function in functions:
        lines += [f"  {line}" for line in _comment(function)]
        lines.append(f"  {_text(function.name)}: {{ args: {_args(function)}; returns: {_type(function.returns)} }};")
    lines.append("}")
    for function in functions:
        for name, fields in function.objects.items():
            lines += ["", f"export interface {name} {{", *(f"  {member};" for member in _members(fields)), "}"]
    return "\n".join(lines) + "\n"


def _comment(function: Function) -> Iterator[str]:
    text = many_lines(function.doc.strip()[:DOC])
    text += f"\n\nQueue: {one_line(function.queue)}" if function.queue else ""
    if not text.strip():
        return
    yield "/**"
    for line in text.strip().replace("*/", "*\\/").split("\n"):
        yield f" * {line}".rstrip()
    yield " */"


def _args(function: Function) -> str:
    members = list(_members(function.fields))
    if function.is_open:
        members.append("[name: string]: unknown")
    return f"{{ {'; '.join(members)} }}" if members else "Record<string, never>"


def _members(fields: Iterable[Field]) -> Iterator[str]:
    for field in fields:
        yield f"{_text(field.name)}{'' if field.required else '?'}: {_type(field.shape)}"


def _type(shape: Shape) -> str:
    match shape:
        case Anything():
            return "unknown"
        case Scalar(kind):
            return _SCALARS[kind]
        case Choice(values):
            return " | ".join(map(_literal, values))
        case ListOf(item):
            return f"Array<{_type(item)}>"
        case Items(items):
            return f"[{', '.join(map(_type, items))}]"
        case MapOf(value):
            return f"Record<string, {_type(value)}>"
        case Named(name):
            return name
        case OneOf(parts):
            return " | ".join(dict.fromkeys(map(_type, parts)))


def _literal(value: str | int | bool) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return "number"
    return json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text)
