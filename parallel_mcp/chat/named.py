"""The sources that a model names in its own words, in whatever form."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parallel_mcp.chat.links import is_plain_url, links_in
from parallel_mcp.chat.numbering import Source
from parallel_mcp.chat.references import references
from parallel_mcp.chat.values import text_of
from parallel_mcp.schemas.reading import MOST_SEARCHED_CHARS
from parallel_mcp.text import clean

_SOURCE_KEYS = ("citations", "sources", "references")
_TITLE_KEYS = ("title", "name", "label", "site", "publisher")
_URL_KEYS = frozenset({"url", "link", "href", "source", "uri", "source_url", "website"})
_ANSWER_KEYS = ("answer", "response", "output", "content", "text")
_MOST_DEPTH = 20
_MOST_UNREAD = 5
_LABEL = re.compile(r"\s*(?:\[\^?(\d{1,4})\]|【(\d{1,4})】|(\d{1,4})[.):](?=\s))")


@dataclass(frozen=True, slots=True)
class Named:
    """Sources in order. `listed` has them in the order that marks count them, if that is certain.

    `unread` are items given as sources that have no URL.
    """

    sources: Sequence[Source]
    listed: Sequence[Source | None]
    unread: Sequence[str]


def named_sources(given: Mapping[str, Any]) -> Named:
    """The sources in an object like `{answer, citations}`, under whatever key."""
    places = [given[key] for key in _SOURCE_KEYS if key in given]
    if not places:
        places = [value for key, value in given.items() if key not in _ANSWER_KEYS and _has_link(value)]
    items = [item for place in places for item in _items(place)]
    found = [(_label(label, item), list(_sources(item))) for label, item in items]
    unread = [clean(str(item)).strip() for (_, item), (_, sources) in zip(items, found, strict=True) if not sources]
    return Named(
        sources=[source for _, sources in found for source in sources],
        listed=_listed(found) if len(places) == 1 else (),
        unread=[text for text in unread if text and text not in ("None", "[]", "{}")],
    )


def unread_warning(unread: Sequence[str]) -> str:
    """The warning about unreadable sources."""
    shown = ", ".join(f"“{clean(text, 80)}”" for text in unread[:_MOST_UNREAD])
    more = f" and {len(unread) - _MOST_UNREAD} more" if len(unread) > _MOST_UNREAD else ""
    return f"Named as sources, but without a readable URL: {shown}{more}."


def answer_words(given: Mapping[str, Any]) -> str:
    """The answer in an object like `{answer, citations}`, as text."""
    for key in _ANSWER_KEYS:
        said = given.get(key)
        if isinstance(said, int | float) and not isinstance(said, bool):
            return str(said)
        if text_of(said):
            return str(said)
    return ""


def linked_sources(prose: str) -> list[Source]:
    """The links in plain prose, or none if the prose is too long to search."""
    if len(prose) > MOST_SEARCHED_CHARS:
        return []
    return [(link.url, clean(link.title) or None, ()) for link in links_in(prose)]


def _items(place: Any) -> list[tuple[int | None, Any]]:
    """The items of a list of sources, one source each if possible, with the number that a map or a text gives it."""
    if isinstance(place, str):
        return _text_items(place)
    if isinstance(place, Mapping) and not (_URL_KEYS & {str(key).lower() for key in place}):
        return [
            (int(key) if str(key).isdigit() and len(str(key)) < 5 else None, {"title": key, "url": value})
            if isinstance(value, str) and not str(key).isdigit()
            else (int(key) if str(key).isdigit() and len(str(key)) < 5 else None, value)
            for key, value in place.items()
        ]
    if isinstance(place, Sequence):
        return [each for item in place for each in (_items(item) if _is_list(item) else [(None, item)])]
    return [(None, place)]


def _is_list(item: Any) -> bool:
    return isinstance(item, Sequence) and not isinstance(item, str)


def _text_items(text: str) -> list[tuple[int | None, Any]]:
    said = references(f"Sources:\n{text}") if "://" in text else None
    if said is None or said.doubtful or not said.numbered:
        return [(None, text)] if text.strip() else []
    return [(number, {"url": url, "title": title}) for number, (url, title) in sorted(said.numbered.items())]


def _label(label: int | None, item: Any) -> int | None:
    if label is None and isinstance(item, str) and (found := _LABEL.match(item)):
        return int(next(filter(None, found.groups())))
    return label


def _listed(found: Sequence[tuple[int | None, Sequence[Source]]]) -> list[Source | None]:
    """The sources by their labels, or else by position. Empty if an item has more than one source."""
    if any(len(sources) > 1 for _, sources in found):
        return []
    labels = [label for label, _ in found]
    if None in labels or len(set(labels)) < len(labels):
        return [sources[0] if sources else None for _, sources in found]
    by_number = {label: sources[0] for label, sources in found if sources and label}
    return [by_number.get(number) for number in range(1, max(by_number, default=0) + 1)]


def _sources(item: Any, depth: int = 0) -> Iterator[Source]:
    """The links of one item, each with the title beside it."""
    if isinstance(item, str) and is_plain_url(item):
        yield item, None, ()
    elif isinstance(item, str):
        alone = item.count("://") == 1
        for link in links_in(item):
            beside = f"{item[: link.start]} {item[link.end :]}" if alone else ""
            yield link.url, _title(link.title) or _title(beside), ()
    elif depth < _MOST_DEPTH and isinstance(item, Mapping):
        title = next((found for key in _TITLE_KEYS if (found := text_of(item.get(key)))), None)
        for value in item.values():
            for url, own, _ in _sources(value, depth + 1):
                yield url, (title if title and "://" not in title else None) or own, ()
    elif depth < _MOST_DEPTH and isinstance(item, Sequence):
        for value in item:
            yield from _sources(value, depth + 1)


def _has_link(value: Any) -> bool:
    return next(_sources(value), None) is not None


def _title(words: str) -> str | None:
    if not words or words.isspace():
        return None
    said = _LABEL.sub("", clean(words), count=1)
    return " ".join(said.split()).strip(" *_\"'“”.,:;–—-()<>[]|")[:300] or None
