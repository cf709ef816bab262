"""Safe reading of JSON of unknown shape."""

import json
from typing import Any

from pydantic_core import from_json

from parallel_mcp.schemas.values import has_too_many_values


def loaded(text: str) -> Any:
    """A JSON value, or None if the text is not JSON or too large. Unescaped control characters are allowed."""
    if has_too_many_values(text):
        return None
    try:
        return from_json(text)
    except ValueError:
        # from_json rejects control characters, lone surrogates and deep nesting.
        pass
    try:
        return _LENIENT.decode(text)
    except (ValueError, RecursionError):
        return None


_LENIENT = json.JSONDecoder(strict=False)


def decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether any bytes had to be replaced."""
    encoding = json.detect_encoding(data) if data[:4].count(0) else "utf-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff"), False
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), True


def text_of(value: Any) -> str | None:
    """The value if it is non-empty text, else None."""
    return value if isinstance(value, str) and value else None


def list_of(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def dict_of(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
