"""Names and patterns, checked before anything is sent."""

import re
from functools import lru_cache

from .errors import Invalid
from .generated.operations import MAX_NAME, NAME, PATTERN

KNOWN = 1_024
"""Names that are known to be good, and are not looked at again."""

_NAME = re.compile(NAME)
_PATTERN = re.compile(PATTERN)


@lru_cache(KNOWN)
def check_name(what: str, name: str) -> str:
    """The name, if it is one: dotted segments of `A-Z a-z 0-9 _ ~ -`."""
    if len(name) <= MAX_NAME and _NAME.fullmatch(name):
        return name
    raise Invalid(f"expected a {what}: up to 16 dotted segments of A-Z a-z 0-9 _ ~ -, found {name!r}")


@lru_cache(KNOWN)
def check_pattern(pattern: str) -> str:
    """The pattern, if it is one: a name in which a segment may be `*` and the last `**`."""
    if len(pattern) <= MAX_NAME and _PATTERN.fullmatch(pattern):
        return pattern
    raise Invalid(f"expected a pattern, as home.*.light or home.**, found {pattern!r}")
