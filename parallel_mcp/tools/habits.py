"""A call's arguments as they were meant: hosts fill in, wrap and add values that no model gave."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from parallel_mcp import errors, schemas
from parallel_mcp.text import clean

_NOTHING = frozenset({"", "null", "none", "undefined", "nil"})
_OWN_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
_PLUMBING = re.compile(r".*(?:\A|_)(?:ids?|meta|metadata|token|signature|trace|traceparent)\Z")
_RESEARCH_ID = re.compile(r"(?:research://)?([^/\s]+)(?:/\w+)?\Z")
_QUOTES = "\"'`“”‘’<>"
_MOST_NAMED = 5


def as_meant(arguments: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The arguments that the tool knows, without empty placeholders. Raises ArgumentError and SchemaRefused.

    Names that hosts add for their own use are ignored: ids, and names that are not in our style (`toolCallId`,
    `_meta`). A name that a model may have meant is refused, so that what it asked for is not silently lost.
    """
    unknown = [name for name in arguments if name not in known and not _is_plumbing(name, known)]
    if unknown:
        shown = "; ".join(f"{clean(name, 60)} is unknown" for name in unknown[:_MOST_NAMED])
        raise errors.ArgumentError(f"The arguments are wrong: {shown}. Known arguments: {', '.join(known)}.")
    given = {name: arguments[name] for name in known if name in arguments and not _is_nothing(arguments[name])}
    for name, meant in _MEANT.items():
        if name in given:
            given[name] = meant(given[name])
    return {name: value for name, value in given.items() if value is not None}


def _is_plumbing(name: str, known: Collection[str]) -> bool:
    if not _OWN_NAME.match(name):
        return True
    return bool(_PLUMBING.match(name)) and not difflib.get_close_matches(name, known, 1, 0.8)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _model(value: Any) -> Any:
    return value.strip().strip(_QUOTES).lower() if isinstance(value, str) else value


def _research_id(value: Any) -> Any:
    """The id, without surrounding blanks or quotes, or taken from its resource's URI."""
    text = _text(value)
    found = _RESEARCH_ID.match(text.strip().strip(_QUOTES)) if isinstance(text, str) else None
    return found[1] if found else text


_MEANT = {
    "question": _text,
    "instructions": _text,
    "follow_up_to": _text,
    "model": _model,
    "research_id": _research_id,
    "output_schema": schemas.as_meant,
}
