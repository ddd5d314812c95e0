"""Values in JSON: bytes and extensions have forms of their own there (docs/PROTOCOL.md)."""

import base64
import binascii
import math
import re
from typing import Any

import msgspec
from msgspec.msgpack import Ext

from .errors import Invalid

MAX_DEPTH = 64
"""The deepest nesting of a value, as the gateway takes it."""

_BYTES = (bytes, bytearray, memoryview)
_NESTING = (dict, list, tuple)
_FORM = re.compile(r"\$+(bytes|ext)")


def check_depth(value: Any, left: int = MAX_DEPTH) -> None:
    """Raises `Invalid` for lists and maps that are nested deeper than the gateway takes them."""
    if not isinstance(value, _NESTING):
        return
    if left == 0:
        raise Invalid(f"expected a value of at most {MAX_DEPTH} levels")
    for member in value.values() if isinstance(value, dict) else value:
        if isinstance(member, _NESTING):
            check_depth(member, left - 1)


def to_json(value: Any, depth: int = 0) -> Any:
    """What stands for the value in JSON: nothing but what JSON says exactly."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise Invalid("expected an integer of at most 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("expected a finite number: JSON has no other")
        return value
    if isinstance(value, _BYTES):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, Ext):
        return {"$ext": {"type": value.code, "data": base64.b64encode(value.data).decode()}}
    if depth >= MAX_DEPTH:
        raise Invalid(f"expected a value of at most {MAX_DEPTH} levels")
    if isinstance(value, (list, tuple)):
        return [to_json(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return _map_to_json(value, depth)
    try:
        plain = msgspec.to_builtins(value, builtin_types=_BYTES)
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"expected a value that JSON can say: {error}") from error
    return to_json(plain, depth)


def _map_to_json(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    members = {}
    for key, member in value.items():
        if not isinstance(key, str):
            raise Invalid(f"expected keys that are text, found {key!r}: JSON has no others")
        members[key] = to_json(member, depth + 1)
    if len(members) == 1:
        [(key, member)] = members.items()
        if _looks_reserved(key, member):
            return {f"${key}": member}
    return members


def from_json(value: Any) -> Any:
    """The value with bytes and extensions in place of what stands for them in JSON."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, member)] = value.items()
        form = _reserved(key, member)
        if form is not None:
            return form
        if _looks_reserved(key, member):
            return {key[1:]: from_json(member)}
    return {key: from_json(member) for key, member in value.items()}


def _reserved(key: str, value: Any) -> bytes | Ext | None:
    """What `{"$bytes": …}` or `{"$ext": …}` stands for."""
    if key == "$bytes":
        return _from_base64(value)
    if key != "$ext" or not isinstance(value, dict) or value.keys() != {"type", "data"}:
        return None
    code, data = value["type"], _from_base64(value["data"])
    if type(code) is not int or not -128 <= code <= 127 or data is None:
        return None
    return Ext(code, data)


def _looks_reserved(key: str, value: Any) -> bool:
    """Whether a map with this one member would be taken for a form, escaped or not."""
    form = _FORM.fullmatch(key)
    return form is not None and _reserved(f"${form[1]}", value) is not None


def _from_base64(text: Any) -> bytes | None:
    """The bytes of a text that is base64 in its one canonical form."""
    if not isinstance(text, str):
        return None
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None
