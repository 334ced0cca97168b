"""Writes the functions as a Python module: `Remote(app).add(a=1, b=2)`, and its twin for an event loop."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator

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
    free_name,
    one_of,
    pascal,
)

_SCALARS = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "null": "None"}
# A method with one of these names would hide what the types of other methods mean.
_MEANT = ("int", "float", "str", "bool", "list", "dict", "Any", "Literal", "NotRequired", "TypedDict", "Unpack")
_RESERVED = {*keyword.kwlist, *_MEANT, "Doshit", "Handle", "OptionFields", "Remote", "AsyncRemote", "self"}
_HEAD = """\
# ruff: noqa
from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Unpack

from doshit import Doshit, Handle
from doshit.client.options import OptionFields

_ABSENT: Any = ...
"""
_CLASS = '''

class {name}:
    """The functions, to be called by name on an app{face}. options: of each enqueue, such as delay=10."""

    def __init__(self, app: Doshit, **options: Unpack[OptionFields]) -> None:
'''
_INIT = "        self._app, self._options = app, options\n"
_CALL = """
    {async_}def _call(self, function: str, queue: str, args: dict[str, Any]) -> Handle[Any]:
        options = self._options.copy()
        if queue:
            options.setdefault("queue", queue)
        given = {{name: value for name, value in args.items() if value is not _ABSENT}}
        return {await_}self._app.{enqueue}(function, given, **options)
"""


def source(functions: list[Function], mark: str) -> str:
    """A module. Every name in it is an identifier that was checked or made here, every text an escaped literal."""
    return _Module(functions, is_stub=False).source(mark)


def stub(functions: list[Function], mark: str) -> str:
    """The same without bodies."""
    return _Module(functions, is_stub=True).source(mark)


class _Module:
    def __init__(self, functions: list[Function], is_stub: bool) -> None:
        self._functions, self._is_stub = functions, is_stub
        taken = {*_RESERVED, *(name for function in functions for name in function.objects)}
        self._methods = {function.name: free_name(_method_name(function.name), taken) for function in functions}
        by_dict = [function.name for function in functions if not all(map(_is_usable, function.fields))]
        self._dicts = {name: free_name(f"{pascal(name)}Args", taken) for name in by_dict}

    def source(self, mark: str) -> str:
        parts = [f'"""{mark}: what is changed here is lost."""\n\n', _HEAD]
        for function in self._functions:
            parts += [_typed_dict(name, fields) for name, fields in function.objects.items()]
            if function.name in self._dicts:
                parts.append(_typed_dict(self._dicts[function.name], function.fields))
        for is_async in (False, True):
            parts += self._class(is_async)
        return "".join(parts)

    def _class(self, is_async: bool) -> Iterator[str]:
        yield _CLASS.format(name="AsyncRemote" if is_async else "Remote", face=" in an event loop" if is_async else "")
        if self._is_stub:
            yield "        ...\n"
        else:
            words = ("async ", "await ", "aenqueue") if is_async else ("", "", "enqueue")
            yield _INIT + _CALL.format(async_=words[0], await_=words[1], enqueue=words[2])
        for function in self._functions:
            yield self._method(function, is_async)

    def _method(self, function: Function, is_async: bool) -> str:
        async_, await_ = ("async ", "await ") if is_async else ("", "")
        head = f"    {async_}def {self._methods[function.name]}({self._parameters(function)}) -> {_handle(function)}:\n"
        given = f"{function.name!a}, {function.queue!a}, {self._args(function)}"
        body = f"        return {await_}self._call({given})\n"
        return "\n" + head + _doc(function) + ("        ...\n" if self._is_stub else body)

    def _parameters(self, function: Function) -> str:
        if function.name in self._dicts:
            return f"self, args: {self._dicts[function.name]}"
        each = sorted(function.fields, key=lambda field: not field.required)
        words = [f"{it.name}: {_type(it.shape)}{'' if it.required else ' = _ABSENT'}" for it in each]
        if function.is_open:
            words.append(f"**{_others(function)}: Any")
        return ", ".join(["self", *(["*"] if each else []), *words])

    def _args(self, function: Function) -> str:
        if function.name in self._dicts:
            return "{**args}"
        each = [f"{it.name!a}: {it.name}" for it in function.fields]
        return f"{{{', '.join([*each, *([f'**{_others(function)}'] if function.is_open else [])])}}}"


def _others(function: Function) -> str:
    return free_name("others", {field.name for field in function.fields})


def _typed_dict(name: str, fields: list[Field]) -> str:
    # Types stand there as text, for an object may hold another one that comes later, or itself.
    members = (f"    {it.name!a}: {_member_type(it)!a},\n" for it in fields)
    return f'\n{name} = TypedDict("{name}", {{\n{"".join(members)}}})\n'


def _member_type(field: Field) -> str:
    return _type(field.shape) if field.required else f"NotRequired[{_type(field.shape)}]"


def _handle(function: Function) -> str:
    return f"Handle[{_type(function.returns)}]"


def _doc(function: Function) -> str:
    text = many_lines(function.doc.strip()[:DOC])
    text = text or f"Calls {one_line(function.name)}."
    lines = text.replace("\\", "\\\\").replace('"', '\\"').split("\n")
    shown = "\n".join([lines[0], *(f"        {line}".rstrip() for line in lines[1:])])
    return f'        """{shown}"""\n'


def _method_name(name: str) -> str:
    """An identifier for a function: its own name where that is one."""
    if _is_identifier(name) and not name.startswith("_") and name not in _RESERVED:
        return name
    made = re.sub(r"\W", "_", name[:100], flags=re.ASCII)
    if not made[:1].isalpha():
        made = f"f_{made.strip('_')}"
    return f"{made}_" if made in _RESERVED else made


def _is_usable(field: Field) -> bool:
    """Whether a parameter can be given by keyword to a method; a class would rename one that begins with __."""
    return _is_identifier(field.name) and not field.name.startswith("__") and field.name != "self"


def _is_identifier(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name


def _type(shape: Shape) -> str:
    match shape:
        case Anything():
            return "Any"
        case Scalar(kind):
            return _SCALARS[kind]
        case Choice(values):
            return f"Literal[{', '.join(map(ascii, values))}]"
        case ListOf(item):
            return f"list[{_type(item)}]"
        case Items(items):
            return f"list[{_type(one_of(items))}]"
        case MapOf(value):
            return f"dict[str, {_type(value)}]"
        case Named(name):
            return name
        case OneOf(parts):
            return " | ".join(dict.fromkeys(map(_type, parts)))
