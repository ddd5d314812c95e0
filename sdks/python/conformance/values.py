"""What the cases' JSON stands for, and whether what came is that."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any


def value_of(said: Any) -> Any:
    """The value with bytes and integers of 64 bits in it."""
    if isinstance(said, list):
        return [value_of(item) for item in said]
    if not isinstance(said, dict):
        return said
    if "$bytes" in said:
        return base64.b64decode(said["$bytes"])
    if "$int" in said:
        return int(said["$int"])
    return {key: value_of(member) for key, member in said.items()}


def same(expected: Any, found: Any) -> bool:
    """Whether two values are the same, numbers by value."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return expected.keys() == found.keys() and all(same(expected[key], found[key]) for key in expected)
    if isinstance(expected, bytes) or isinstance(found, bytes):
        return type(expected) is type(found) and bool(expected == found)
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        is_list = isinstance(found, Sequence) and not isinstance(found, str)
        return is_list and len(expected) == len(found) and all(map(same, expected, found))
    # True is 1 in Python, and nowhere else.
    return isinstance(expected, bool) == isinstance(found, bool) and bool(expected == found)


def includes(expected: Mapping[str, Any], found: Any) -> bool:
    """Whether all members that are named are there, and the same."""
    return all(same(value, getattr(found, key, None)) for key, value in expected.items())
