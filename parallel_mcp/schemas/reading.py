"""The JSON value that a model wrote, whatever it put around it."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from parallel_mcp.schemas.values import MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES, flaw_of

_MOST_RUNS = 1_000  # of braces in prose


def read(text: str) -> Any:
    """The JSON value that a model wrote, whatever it put around it.

    Plain JSON and JSON in one code fence may be any value. Out of prose only an object is taken: the longest run of
    balanced braces, so that a piece of a broken or truncated answer never passes for the answer.
    Raises ValueError if there is none, or if it is deeper than 100 levels, larger than 200,000 values or not finite.
    """
    text = text.strip("\ufeff \t\r\n")
    fenced = _FENCED.match(text)
    for candidate in (text, *([fenced["inside"].strip()] if fenced else [])):
        try:
            value = _DECODER.decode(candidate)
        except (ValueError, RecursionError):
            continue
        return _sound(value)
    return _sound(_object_in(text))


_FENCED = re.compile(r"\A(?P<fence>```+|~~~+)[^\n`{\[]*\n(?P<inside>.*)\n[ \t]*(?P=fence)\Z", re.DOTALL)
_OPENING = re.compile(r'\{(?=\s*["}])')
_BRACE_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}]', re.DOTALL)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Not strict: models put bare newlines into strings.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)


def _sound(value: Any) -> Any:
    flaw = flaw_of(value, MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES)
    if flaw is not None:
        raise ValueError(f"the JSON has {flaw.words}")
    return value


def _object_in(text: str) -> dict[str, Any]:
    """The object that prose stands around. One pass finds the braces and one try reads the longest run."""
    start = max(islice(_runs(text), _MOST_RUNS), key=lambda run: run[1] - run[0], default=(0, 0))[0]
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise ValueError("there is no whole JSON object in the text") from None
    if not isinstance(value, dict):
        raise ValueError("there is no JSON object in the text")
    return value


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each outermost run of balanced braces; one that never closes ends with the text."""
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
