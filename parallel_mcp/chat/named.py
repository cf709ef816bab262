"""The sources that a model names in its own words."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from parallel_mcp import schemas
from parallel_mcp.chat.citations import numbered, source_of
from parallel_mcp.chat.message import Reply, begun_object
from parallel_mcp.chat.values import dict_of, list_of, text_of
from parallel_mcp.models import Citation
from parallel_mcp.text import clean


def with_named_sources(content: str, reply: Reply) -> tuple[str, list[Citation]]:
    """The prose and the URLs of `{answer, citations}`; plain text instead is simply the answer."""
    found = sources = _object_said(reply.content)
    if not reply.whole and not found:
        # Of a list that is cut short, the last URL may be half of one.
        found, sources = begun_object(reply.content), begun_object(reply.content, open_text=False)
    prose = prose_of(found)
    if not prose:
        return content, []
    given = sources.get("citations")
    named = [source_of(item) for item in ([given] if isinstance(given, str) else list_of(given))]
    return clean(prose), numbered((url, title, ()) for url, title, _ in named if _is_web(url))


def _object_said(content: str) -> dict[str, Any]:
    try:
        return dict_of(schemas.read(content))
    except ValueError:
        return {}


def prose_of(found: Mapping[str, Any]) -> str:
    """The answer of `{answer, citations}` in words."""
    said = found.get("answer")
    return str(said) if isinstance(said, int | float) and not isinstance(said, bool) else text_of(said) or ""


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
