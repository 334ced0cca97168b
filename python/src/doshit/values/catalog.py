"""What a worker tells of its functions, one JSON text for each: makes, reads and compares them. Knows no Redis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from doshit.errors import BadValue
from doshit.values.codec import decode_value

FORM = 1
"""The version of this form, which each entry carries."""

_DESCRIBING = frozenset(["$schema", "title", "description", "default", "examples", "$comment"])
# Their members are named by the author of the schema, so a name is no keyword there.
_NAMING = frozenset(["properties", "$defs"])


class Entry(NamedTuple):
    """One function as a worker tells of it. Whatever stands in Redis makes an entry with these types.

    queue: where its calls go if nothing else is said, "" for the default; parameters, returns: JSON Schemas, {} where
    nothing is known; defaults: JSON by the names of parameters.
    """

    queue: str = ""
    language: str = ""
    parameters: Mapping[str, Any] = {}
    returns: Mapping[str, Any] = {}
    doc: str = ""
    defaults: Mapping[str, Any] = {}


def entry_text(queue: str, language: str, schema: Mapping[str, Any]) -> str:
    """An entry as it stands in Redis. schema: parameters, returns, doc and defaults."""
    return json.dumps({"queue": queue, "language": language, "version": FORM, **schema}, sort_keys=True)


def read_entry(text: bytes) -> Entry:
    """The entry in a text that anybody may have written; what cannot be read is as if it were not there."""
    try:
        found = decode_value(text)
    except BadValue:
        return Entry()
    if not isinstance(found, dict):
        return Entry()
    kinds = Entry._field_defaults
    return Entry(**{name: found[name] for name in kinds if isinstance(found.get(name), type(kinds[name]))})


def catalog_sha(entries: Mapping[str, str]) -> str:
    """The name of a catalog: 16 hex digits of the SHA-256 of its functions, by name, and their texts."""
    digest = hashlib.sha256()
    for name, text in sorted((name.encode(), text.encode()) for name, text in entries.items()):
        digest.update(name + b"\0" + text + b"\0")
    return digest.hexdigest()[:16]


def signature_key(entry: Entry) -> str:
    """What a caller has to know of a function, as a text that is the same for the same thing."""
    try:
        return json.dumps([_bare(entry.parameters), _bare(entry.returns)], sort_keys=True)
    except RecursionError:  # no schema of a function is nested that deep
        return "too deep"


def _bare(schema: Any) -> Any:
    """A JSON Schema without what only describes."""
    if isinstance(schema, Mapping):
        return {name: _named(name, part) for name, part in schema.items() if name not in _DESCRIBING}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema


def _named(keyword: str, part: Any) -> Any:
    if keyword in _NAMING and isinstance(part, Mapping):
        return {name: _bare(each) for name, each in part.items()}
    return _sorted_names(part) if keyword == "required" else _bare(part)


def _sorted_names(names: Any) -> Any:
    return sorted(map(str, names)) if isinstance(names, list) else names
