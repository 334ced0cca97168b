"""Turns values into JSON and back, and says where JSON cannot follow. Knows no signature and no Redis.

The rules are msgspec's: tuples and sets travel as arrays, dates and UUIDs as their ISO text, Decimal as text, bytes as
base64, enums as their value, dataclasses and Structs as objects, and number keys as text. Ours are added where msgspec
would lose something without a word (NaN would become null) or gives no path.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from doshit.errors import BadValue, ResultNotJson

# Where a value stands: (where its parent stands, member name or index); the root is None. Linked, because a text per
# value would let one long member name with many children fill the memory.
Path = tuple[Any, str | int] | None

_LONGEST_REASON = 300
_LOCATED = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_BYTE = re.compile(r"\(byte (\d+)\)$")
# A NaN or an infinity in MessagePack. No UTF-8 text holds these bytes, so only raw bytes can raise a false alarm.
_NON_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")
_ESCAPE_OF_PROTO = re.compile(rb"\\u00(?:5[fF]|7[024]|6[fF])")


class NotJson(Exception):
    """What JSON cannot carry, or cannot be read from it. Never leaves the package: callers make it their own error.

    path: where, for example ".items[3].owner", or "" for the whole; reason: one line, without the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = one_line(path), one_line(reason)
        super().__init__(f"{self.path}: {self.reason}")


def encode(value: object) -> bytes:
    """The value as compact JSON in UTF-8. Raises NotJson, and nothing else, when JSON cannot carry it."""
    try:
        raw = _encode(value)
    except Exception as error:
        raise _blame(value, error) from error
    # msgspec writes NaN and the infinities as null, so a result without a null cannot hold one.
    if raw.find(b"null") >= 0 and value is not None and _holds_non_finite(value):
        raise _blame(value, ValueError("NaN and Infinity are not JSON"))
    return raw


def encode_result(value: object) -> bytes:
    """What a task returned, as compact JSON. Its size is for the caller to check. Raises ResultNotJson only."""
    try:
        return encode(value)
    except NotJson as error:
        raise ResultNotJson(f"result{error.path}: {error.reason}; return what JSON can carry") from error


def decode_value(raw: bytes) -> Any:
    """The value of any producer's JSON, big integers exact. Raises BadValue when it is not JSON."""
    return _decode(raw, _plain)


def decode_value_as(raw: bytes, kind: Any) -> Any:
    """The value of a result as its annotation says: dates, dataclasses, models. Raises BadValue when it is not so."""
    try:
        return _decode(raw, _decoder(kind))
    except TypeError:  # an annotation that cannot be hashed, so not kept either
        return _decode(raw, make_decoder(kind))


def make_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A strict decoder to an annotation; it takes tens of microseconds to make, so keep it."""
    return msgspec.json.Decoder(kind, dec_hook=_from_json)


def explain(raw: bytes, error: Exception) -> NotJson:
    """Why a decoder refused these bytes. Broken JSON comes first: a type error found in front of it would mislead."""
    try:
        _plain.decode(raw)
    except msgspec.ValidationError as out_of_range:  # a number; a typed decoder knows better where it stands
        return _located(error if isinstance(error, msgspec.ValidationError) else out_of_range)
    except Exception as broken:
        return _broken(raw, broken)
    return _located(error)


def refuse_proto(raw: bytes) -> None:
    """Raises NotJson where a member is named __proto__, at any depth and however it is escaped; raw is valid JSON.

    In JavaScript such a member can change every object of the process, so no language lets it in.
    """
    if raw.find(b'"__proto__"') < 0 and (raw.find(b"\\u00") < 0 or not _ESCAPE_OF_PROTO.search(raw)):
        return
    for path, value in _walk(_plain.decode(raw)):
        if isinstance(value, dict) and "__proto__" in value:
            raise NotJson(_text((path, "__proto__")), "a member must not be named __proto__; rename it")


def is_model(kind: object) -> bool:
    """Whether this is a pydantic model class. Never imports pydantic: who has a model has imported it."""
    pydantic = sys.modules.get("pydantic.main")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def one_line(text: str) -> str:
    """The text fit for a reason: one printable line of at most 300 characters, whatever a stranger put into it."""
    short = text[: _LONGEST_REASON + 1]
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in short).split())
    return line if len(text) <= _LONGEST_REASON else line[: _LONGEST_REASON - 3] + "..."


def _to_json(value: Any) -> object:
    if is_model(type(value)):
        # Not model_dump_json: pydantic would write NaN as null there, and nobody could tell.
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"object of type {type(value).__name__} is not JSON")


def _from_json(kind: Any, value: object) -> object:
    if kind is object:
        return value
    try:
        # By way of JSON, because a strict model takes a date's text in JSON only.
        return kind.model_validate_json(_encode(value))
    except Exception as error:
        raise ValueError(_complaint(error)) from error


def _complaint(error: Exception) -> str:
    if not isinstance(error, sys.modules["pydantic_core"].ValidationError):
        return f"{type(error).__name__}: {error}"
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


_encode = msgspec.json.Encoder(enc_hook=_to_json).encode
_pack = msgspec.msgpack.Encoder(enc_hook=_to_json).encode
_plain: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_decoder = lru_cache(maxsize=256)(make_decoder)


def _decode(raw: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(raw)
    except Exception as error:
        fault = explain(raw, error)
        raise BadValue(
            f"result-value{fault.path}: {fault.reason}; look at what its worker wrote with `doshit show`"
        ) from error


def _holds_non_finite(value: object) -> bool:
    try:
        if not _NON_FINITE.search(_pack(value)):
            return False
    except OverflowError:  # an integer of more than 64 bits, which JSON can carry and MessagePack cannot
        pass
    found = msgspec.to_builtins(value, enc_hook=_to_json, str_keys=True)
    return any(isinstance(leaf, float) and not isfinite(leaf) for _, leaf in _walk(found))


def _blame(value: object, error: Exception) -> NotJson:
    """The innermost part that fails alone. Slow, so that the way of the values that can be encoded stays short."""
    path: Path = None
    while not isinstance(error, RecursionError):
        for step, part in _parts(value):
            if (fault := _fault(part)) is not None:
                path, value, error = (path, step), part, fault
                break
        else:
            at_key = "a member name: " if isinstance(value, dict) else ""
            return NotJson(_text(path), at_key + _reason(error))
    return NotJson(_text(path), "nested too deep, or it holds itself")


def _fault(value: object) -> Exception | None:
    try:
        raw = _encode(value)
    except Exception as error:
        return error
    if raw.find(b"null") >= 0 and _holds_non_finite(value):
        return ValueError("NaN and Infinity are not JSON")
    return None


def _parts(value: Any) -> Iterator[tuple[str | int, object]]:
    """The direct parts of a value, in the order in which they are encoded."""
    if isinstance(value, dict):
        return ((name if isinstance(name, int) else str(name), part) for name, part in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return enumerate(value)
    if isinstance(value, msgspec.Struct):
        return ((name, getattr(value, name)) for name in value.__struct_fields__)
    if is_dataclass(value):
        return ((field.name, getattr(value, field.name, None)) for field in fields(value))
    return iter(vars(value).items()) if is_model(type(value)) else iter(())


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a lone surrogate cannot be written as UTF-8"
    return str(error)


def _broken(raw: bytes, error: Exception) -> NotJson:
    if isinstance(error, RecursionError):
        return NotJson("", "nested too deep")
    try:
        text = raw.decode()
    except UnicodeDecodeError as not_text:
        return NotJson("", f"not UTF-8 at byte {not_text.start}")
    if (path := _lone_surrogate(text)) is not None:
        return NotJson(path, "a lone surrogate is not text")
    place = _BYTE.search(str(error))
    if place is None:
        return NotJson("", f"not valid JSON: it ends too early, at byte {len(raw)}")
    at = int(place[1]) - ("trailing" in str(error))  # msgspec has read that byte already
    hint = ": NaN and Infinity are not JSON" if raw[at : at + 3] in (b"NaN", b"Inf") else ""
    return NotJson("", f"not valid JSON at byte {at}{hint}")


def _lone_surrogate(text: str) -> str | None:
    """The path of the first half of a pair, which json reads and msgspec refuses, sometimes as a too early end."""
    if "\\u" not in text:
        return None
    import json  # costs milliseconds, and only a refusal needs it

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return next((_text(path) for path, part in _walk(value) if _has_surrogate(part)), None)


def _has_surrogate(value: object) -> bool:
    texts = value if isinstance(value, dict) else (value,)
    return any(isinstance(text, str) and any("\ud800" <= mark <= "\udfff" for mark in text) for text in texts)


def _located(error: Exception) -> NotJson:
    """A decoder's refusal, its path and its words made ours: "Expected `int`, got `str` - at `$.a`"."""
    if not isinstance(error, msgspec.ValidationError):
        return NotJson("", f"{type(error).__name__}: {error}")
    found = _LOCATED.fullmatch(str(error))
    assert found is not None, "the pattern matches every text"
    what = found["what"].replace("`", "")
    at_key = "a member name: " if found["key"] else ""
    return NotJson(found["path"] or "", at_key + what[:1].lower() + what[1:])


def _walk(value: object) -> Iterator[tuple[Path, object]]:
    """Every part of a JSON value with its path, in the order of the text. Not recursive, so depth is no matter."""
    stack: list[tuple[Path, object]] = [(None, value)]
    while stack:
        path, part = stack.pop()
        yield path, part
        if isinstance(part, dict):
            stack.extend(((path, str(name)), held) for name, held in reversed(part.items()))
        elif isinstance(part, (list, tuple)):
            stack.extend(((path, at), part[at]) for at in reversed(range(len(part))))


def _text(path: Path) -> str:
    steps = []
    while path is not None:
        path, step = path
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(steps))
