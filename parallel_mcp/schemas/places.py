"""Values and places as sentences quote them."""

import json
from collections.abc import Iterable

from parallel_mcp.text import clean

_QUOTED_CHARS = 40
_PLACE_CHARS = 120
_OPTIONS_NAMED = 8


def quoted(value: object) -> str:
    """`value` as one short line of JSON, for a sentence."""
    if isinstance(value, dict):
        return "an object" if value else "{}"
    if isinstance(value, list):
        return "a list" if value else "[]"
    if isinstance(value, str):
        return json.dumps(clean(value[: 10 * _QUOTED_CHARS], _QUOTED_CHARS), ensure_ascii=False)
    return clean(json.dumps(value), _QUOTED_CHARS)


def listed(values: Iterable[object]) -> str:
    """The first few of `values`, and the number of the others."""
    values = list(values)
    more = f" and {len(values) - _OPTIONS_NAMED} more" if len(values) > _OPTIONS_NAMED else ""
    return ", ".join(quoted(value) for value in values[:_OPTIONS_NAMED]) + more


def dotted(tokens: Iterable[str | int]) -> str:
    """A place in an answer, as in basis entries."""
    place = ".".join(clean(str(token), _PLACE_CHARS) for token in tokens)
    return one_line(place) or "the answer"


def pointer(tokens: Iterable[str | int], base: str = "#") -> str:
    """A place in a schema, as a JSON pointer."""
    escaped = (str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
    return "/".join([base, *escaped])


def one_line(place: str) -> str:
    """A place on one short line, for a sentence."""
    return " ".join(clean(place, _PLACE_CHARS).split())
