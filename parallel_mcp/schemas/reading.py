"""Reads the JSON that a model wrote, whatever it put around it."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from parallel_mcp.schemas.values import MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES, STRING, flaw_of, has_too_many_values
from parallel_mcp.text import paired

_MOST_RUNS = 1_000  # of braces in prose

MOST_SEARCHED_CHARS = 1_000_000
"""The longest text that is searched for JSON, links and marks. The longest recorded answer has 34,000 characters."""


def read(text: str) -> Any:
    """The JSON value that a model wrote, whatever it put around it.

    Plain JSON and JSON in one code fence may be any value, and may have trailing commas. JSON in a JSON string is
    parsed again. From prose only an object is taken: the longest run of balanced braces, so that a piece of a broken
    or truncated answer never passes for the answer.
    Raises ValueError if there is none, or if it has more than 100 levels, more than 200,000 values or a NaN.
    """
    text = text.strip("\ufeff \t\r\n")
    value = _read(text)
    if _HALF.search(text):
        # Half a surrogate pair is replaced and does not spoil the answer.
        try:
            value = json.loads(paired(json.dumps(value, ensure_ascii=False)))
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None
    return _sound(value)


def _read(text: str) -> Any:
    fenced = _FENCED.match(text)
    for candidate in (text, *([fenced["inside"].strip()] if fenced else [])):
        for attempt in (_decoded, _decoded_without_last_commas):
            try:
                value = attempt(candidate)
            except (ValueError, RecursionError):
                continue
            return _inside(value)
    return _object_in(text)


def _decoded(text: str) -> Any:
    if has_too_many_values(text):
        raise ValueError(f"the JSON has more than {MOST_ANSWER_VALUES:,} values")
    return _DECODER.decode(text)


def _decoded_without_last_commas(text: str) -> Any:
    """Like `_decoded`, but ignoring commas before a closing bracket."""
    if text[:1] not in ("{", "[") or len(text) > MOST_SEARCHED_CHARS:
        raise ValueError("it is not an object or a list, or is too long")
    return _DECODER.decode(_STRING_OR_LAST_COMMA.sub(lambda found: found[0] if found[0][0] == '"' else "", text))


def _inside(value: Any) -> Any:
    """The object or list in a string that is itself JSON, which some models write."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            inner = _DECODER.decode(value.strip())
        except (ValueError, RecursionError):
            return value
        return inner if isinstance(inner, dict | list) else value
    return value


def unwrapped(schema: Mapping[str, Any], value: Any) -> Any:
    """The value without a superfluous wrapper, if that is certain.

    A list of one object is unwrapped, and so is an object with a single property that the schema does not know. The
    value inside must have properties of the schema.
    """
    known = schema.get("properties") or {}
    if isinstance(value, list) and len(value) == 1:
        inner = value[0]
    elif isinstance(value, dict) and len(value) == 1 and not value.keys() & known.keys():
        inner = _inside(next(iter(value.values())))
    else:
        return value
    return inner if isinstance(inner, dict) and inner.keys() & known.keys() else value


_FENCED = re.compile(r"\A(?P<fence>`{3,}+|~{3,}+)[^\n`{\[]*\n(?P<inside>.*)\n[ \t]*(?P=fence)\Z", re.DOTALL)
_OPENING = re.compile(r'\{(?=\s*["}])')
_HALF = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_BRACE_OR_STRING = re.compile(rf"{STRING}|[{{}}]", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"{STRING}|,(?=\s*[}}\]])", re.DOTALL)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Not strict, because models put unescaped newlines into strings.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)


def _sound(value: Any) -> Any:
    flaw = flaw_of(value, MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES)
    if flaw is not None:
        raise ValueError(f"the JSON has {flaw.words}")
    return value


def _object_in(text: str) -> dict[str, Any]:
    """The object within prose. One pass finds the braces and one attempt reads the longest run."""
    if len(text) > MOST_SEARCHED_CHARS:
        raise ValueError("the text is too long to look for a JSON object in it")
    start = max(islice(_runs(text), _MOST_RUNS), key=lambda run: run[1] - run[0], default=(0, 0))[0]
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise ValueError("there is no complete JSON object in the text") from None
    if not isinstance(value, dict):
        raise ValueError("there is no JSON object in the text")
    return value


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each outermost run of balanced braces. An unclosed run ends with the text."""
    position = 0
    while opening := _OPENING.search(text, position):
        position = _closing(text, opening.start())
        yield opening.start(), position


def _closing(text: str, start: int) -> int:
    open_braces = 0
    for token in _BRACE_OR_STRING.finditer(text, start):
        open_braces += {"{": 1, "}": -1}.get(token[0], 0)
        if open_braces == 0:
            return token.end()
    return len(text)
