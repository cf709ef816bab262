"""JSON values of unknown shape, checked without recursion."""

import math
import re
from dataclasses import dataclass
from itertools import islice

# Our own limits for answers: total values and levels.
MOST_ANSWER_VALUES = 200_000
MOST_ANSWER_DEPTH = 100
_MOST_INT_BITS = 14_000  # about 4,200 digits: Python refuses to print more than 4,300


STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
"""A JSON string, closed or not. Possessive quantifiers, so that no memory is needed for backtracking."""

# A string, or a character before another value.
_STRING_OR_VALUE = re.compile(rf"{STRING}|[,{{\[]", re.DOTALL)


def has_too_many_values(text: str) -> bool:
    """Whether JSON text has more values than an answer may, checked first because parsing takes 20 times its memory."""
    if len(text) <= MOST_ANSWER_VALUES or sum(map(text.count, ",{[")) <= MOST_ANSWER_VALUES:
        return False
    found = (token for token in _STRING_OR_VALUE.finditer(text) if token[0][0] != '"')
    return next(islice(found, MOST_ANSWER_VALUES, None), None) is not None


@dataclass(frozen=True, slots=True)
class _Trail:
    """The path to a value, innermost first, so that long paths need no copying."""

    outer: "_Trail | None"
    token: str | int


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Why a value is not JSON that we handle, and where. `words` fit after "it has"."""

    trail: _Trail | None
    words: str


def tokens(trail: _Trail | None) -> list[str | int]:
    """The path to a value, outermost first."""
    found: list[str | int] = []
    while trail is not None:
        found.append(trail.token)
        trail = trail.outer
    return found[::-1]


def flaw_of(root: object, most_depth: int, most_values: int) -> _Flaw | None:
    """The first thing wrong with `root` as JSON, found without recursion and with bounded work."""
    stack: list[tuple[object, _Trail | None, int]] = [(root, None, 1)]
    seen = 1
    while stack:
        value, trail, depth = stack.pop()
        words = _wrong_with(value)
        if words is not None:
            return _Flaw(trail, words)
        if not isinstance(value, dict | list):
            continue
        seen += len(value)
        if seen > most_values:
            return _Flaw(trail, f"more than {most_values:,} values")
        if depth >= most_depth and value:
            return _Flaw(trail, f"more than {most_depth} levels of nesting")
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        stack.extend((child, _Trail(trail, token), depth + 1) for token, child in inner)
    return None


def _wrong_with(value: object) -> str | None:
    if isinstance(value, str):
        return None if _encodable(value) else "half a surrogate pair"
    if isinstance(value, float):
        return None if math.isfinite(value) else "NaN or Infinity"
    if isinstance(value, int):
        return None if value.bit_length() <= _MOST_INT_BITS else "a number with thousands of digits"
    if isinstance(value, dict):
        return None if all(isinstance(key, str) and _encodable(key) for key in value) else "a name that is not text"
    return None if value is None or isinstance(value, list) else "a value that is not JSON"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
