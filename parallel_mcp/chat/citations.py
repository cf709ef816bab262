"""Basis and citations as Parallel sends them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from parallel_mcp.chat.links import same_page
from parallel_mcp.chat.numbering import Source
from parallel_mcp.chat.values import dict_of, list_of, text_of
from parallel_mcp.models import Basis, Confidence
from parallel_mcp.text import clean


@dataclass(frozen=True, slots=True)
class Entry:
    """A basis entry before its sources are numbered."""

    field: str
    reasoning: str
    confidence: Confidence | None
    sources: Sequence[Source]


def entries(raw: Sequence[Any]) -> list[Entry]:
    """The basis entries as received. Items that are not objects are dropped."""
    return [
        Entry(
            field=clean(field_of(entry)),
            reasoning=clean(text_of(entry.get("reasoning")) or ""),
            confidence=_confidence(entry.get("confidence")),
            sources=[source for item in list_of(entry.get("citations")) if (source := source_of(item))[0]],
        )
        for entry in raw
        if isinstance(entry, Mapping)
    ]


def basis(found: Iterable[Entry], numbers: Mapping[str, int]) -> list[Basis]:
    """One basis entry per field or element, with citation numbers. `numbers` has them by `same_page` of a URL."""
    fields: dict[str, list[Basis]] = {}
    for entry in found:
        one = Basis(
            field=entry.field,
            reasoning=entry.reasoning,
            confidence=entry.confidence,
            citations=tuple(dict.fromkeys(numbers[same_page(url)] for url, _, _ in entry.sources)),
        )
        fields.setdefault(one.field, []).append(one)
    return [_merged(same) for same in fields.values()]


def _merged(same: Sequence[Basis]) -> Basis:
    """Merge entries about the same field. The lowest confidence counts."""
    if len(same) == 1:
        return same[0]
    said = {entry.confidence for entry in same}
    return Basis(
        field=same[0].field,
        reasoning="\n".join(dict.fromkeys(entry.reasoning for entry in same if entry.reasoning)),
        confidence=next((word for word in _CONFIDENCE if word in said), None),
        citations=tuple(dict.fromkeys(chain.from_iterable(entry.citations for entry in same))),
    )


def field_of(entry: Any) -> str:
    """The field that a basis entry is about."""
    return text_of(dict_of(entry).get("field")) or "output"


def source_of(item: Any) -> Source:
    """A citation as received: an object, or only its URL."""
    source = {"url": item} if isinstance(item, str) else dict_of(item)
    title = " ".join(clean(text_of(source.get("title")) or "").split()) or None
    excerpts = next((found for name in _EXCERPTS if (found := source.get(name))), None)
    texts = [excerpts] if isinstance(excerpts, str) else list_of(excerpts)
    return url_of(source.get("url")), title, [clean(text) for text in texts if isinstance(text, str) and text.strip()]


_EXCERPTS = ("excerpts", "exactQuote", "snippet")


def url_of(value: Any) -> str:
    """A URL on one line and without spaces, for use in lists and Markdown."""
    return "%20".join(clean(text_of(value) or "").replace("\n", "").replace("\t", "").split())


_CONFIDENCE: Sequence[Confidence] = ("low", "medium", "high")


def _confidence(value: Any) -> Confidence | None:
    word = value.strip().lower() if isinstance(value, str) else ""
    return cast("Confidence", word) if word in _CONFIDENCE else None
