"""Basis and citations: numbered by URL, one basis entry a field."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from parallel_mcp.chat.values import dict_of, list_of, text_of
from parallel_mcp.models import Basis, Citation, Confidence
from parallel_mcp.text import clean

Source = tuple[str, str | None, Sequence[str]]
"""URL, title and excerpts."""


def numbered(sources: Iterable[Source]) -> list[Citation]:
    """Sources numbered in order, one number a URL; what is said of one URL at several places is gathered."""
    titles: dict[str, str | None] = {}
    excerpts: dict[str, dict[str, None]] = {}
    for url, title, texts in sources:
        titles[url] = titles.get(url) or title
        excerpts.setdefault(url, {}).update(dict.fromkeys(texts))
    return [
        Citation(number=number, url=url, title=title, excerpts=tuple(excerpts[url]))
        for number, (url, title) in enumerate(titles.items(), 1)
    ]


def joined(raw: Sequence[Any]) -> tuple[list[Basis], list[Citation]]:
    """One basis entry a field or element, with citation numbers for citations; what is no object is dropped."""
    entries = [entry for entry in raw if isinstance(entry, Mapping)]
    cited = [
        [source for item in list_of(entry.get("citations")) if (source := source_of(item))[0]] for entry in entries
    ]
    citations = numbered(chain.from_iterable(cited))
    numbers = {citation.url: citation.number for citation in citations}
    fields: dict[str, list[Basis]] = {}
    for entry, sources in zip(entries, cited, strict=True):
        one = Basis(
            field=clean(field_of(entry)),
            reasoning=clean(text_of(entry.get("reasoning")) or ""),
            confidence=_confidence(entry.get("confidence")),
            citations=tuple(dict.fromkeys(numbers[url] for url, _, _ in sources)),
        )
        fields.setdefault(one.field, []).append(one)
    return [_merged(same) for same in fields.values()], citations


def _merged(same: Sequence[Basis]) -> Basis:
    """Entries about one field as one; the lowest confidence counts."""
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
    """A citation as it came: an object, or only its URL."""
    source = {"url": item} if isinstance(item, str) else dict_of(item)
    title = " ".join(clean(text_of(source.get("title")) or "").split()) or None
    excerpts = source.get("excerpts")
    texts = [excerpts] if isinstance(excerpts, str) else list_of(excerpts)
    return _url(source.get("url")), title, [clean(text) for text in texts if isinstance(text, str) and text.strip()]


def _url(value: Any) -> str:
    """A URL on one line, without spaces: it stands in lists and in Markdown."""
    return "%20".join(clean(text_of(value) or "").replace("\n", "").replace("\t", "").split())


_CONFIDENCE: Sequence[Confidence] = ("low", "medium", "high")


def _confidence(value: Any) -> Confidence | None:
    word = value.strip().lower() if isinstance(value, str) else ""
    return cast("Confidence", word) if word in _CONFIDENCE else None
