"""Arguments for a function whose code is not here: any JSON object goes."""

from __future__ import annotations

from typing import Any

from doshit.errors import BadArguments
from doshit.values import codec


def encode_args(function: str, args: dict[str, Any]) -> bytes:
    """The JSON object to push. Raises BadArguments for what JSON cannot carry, and for what no worker lets in."""
    try:
        if not function.encode():
            raise BadArguments("give the name of a function")
    except UnicodeEncodeError:
        raise BadArguments(f"function name {function!r}: a lone surrogate cannot be written as UTF-8") from None
    try:
        raw = codec.encode(args)
        codec.refuse_proto(raw)
    except codec.NotJson as fault:
        raise BadArguments(f"args{fault.path}: {fault.reason}", function) from fault
    return raw
