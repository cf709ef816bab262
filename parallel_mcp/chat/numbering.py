"""Numbers the sources: first those that the prose's own marks and list number, then the others."""

from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count

from parallel_mcp.chat.links import same_page
from parallel_mcp.chat.marks import ANY_MARK, Mark, marks_in, rewritten
from parallel_mcp.chat.references import References, references
from parallel_mcp.models import Citation
from parallel_mcp.schemas.reading import MOST_SEARCHED_CHARS

Source = tuple[str, str | None, Sequence[str]]
"""URL, title and excerpts."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """Prose whose marks match the numbers of `citations`. `unresolved` are the marks that match none."""

    prose: str
    citations: tuple[Citation, ...]
    numbers: Mapping[str, int]
    """The number of a source by `same_page` of its URL."""
    unresolved: AbstractSet[int]


def number_sources(prose: str, sources: Iterable[Source], listed: Sequence[Source | None] = ()) -> Numbered:
    """Number what an answer cites.

    `sources` are those of its basis. `listed` are the sources of a separate list, in the order that marks count them:
    None holds the place of an item that is not a source. The number of an unresolved mark is given to no source.
    Prose that is too long is not searched; its sources get numbers that no mark can have.
    """
    if len(prose) > MOST_SEARCHED_CHARS:
        citations, numbers = _cited({}, [*sources, *filter(None, listed)], ANY_MARK)
        return Numbered(prose, citations, numbers, frozenset())
    said = references(prose)
    marks = list(marks_in(said.prose))
    defined = _defined(said, marks, listed)
    plain = {number for mark in marks if mark.url is None for number in mark.numbers}
    unresolved = (plain | said.doubtful) - defined.keys()
    linked = [(mark.url, None, ()) for mark in marks if mark.url is not None]
    rest = [*sources, *((url, title, ()) for url, title in said.unnumbered), *filter(None, listed), *linked]
    citations, numbers = _cited(defined, rest, unresolved)
    return Numbered(
        prose=rewritten(said.prose, marks, lambda mark: _written(mark, defined, numbers)),
        citations=citations,
        numbers=numbers,
        unresolved=unresolved & plain,
    )


def _defined(said: References, marks: Sequence[Mark], listed: Sequence[Source | None]) -> dict[int, Source]:
    """The sources that marks name: by the prose's own list, or else the separate list, and by the marks' own links."""
    defined: dict[int, Source] = {number: (url, title, ()) for number, (url, title) in said.numbered.items()}
    if not defined and not said.doubtful and any(mark.url is None for mark in marks):
        defined = {number: source for number, source in enumerate(listed, 1) if source is not None}
    links: dict[int, list[str]] = {}
    for mark in marks:
        if mark.url is not None and len(mark.numbers) == 1:
            links.setdefault(mark.numbers[0], []).append(mark.url)
    for number, urls in links.items():
        if number not in defined and number not in said.doubtful and len({same_page(url) for url in urls}) == 1:
            defined[number] = (urls[0], None, ())
    return defined


@dataclass(slots=True)
class _Gathered:
    url: str
    title: str | None
    excerpts: dict[str, None] = field(default_factory=dict)


def _cited(
    defined: Mapping[int, Source], rest: Iterable[Source], taken: Container[int]
) -> tuple[tuple[Citation, ...], dict[str, int]]:
    """One citation per number. Several mentions of a page are merged into the first."""
    gathered: dict[int, _Gathered] = {}
    numbers: dict[str, int] = {}
    for number, (url, title, excerpts) in sorted(defined.items()):
        gathered[number] = _Gathered(url, title, dict.fromkeys(excerpts))
        numbers.setdefault(same_page(url), number)
    following = max(defined, default=0)
    pages: dict[str, str] = {}
    for url, title, excerpts in rest:
        page = pages.get(url) or pages.setdefault(url, same_page(url))
        if page not in numbers:
            following = next(number for number in count(following + 1) if number not in taken)
            numbers[page] = following
            gathered[following] = _Gathered(url, title)
        one = gathered[numbers[page]]
        one.title = one.title or title
        one.excerpts.update(dict.fromkeys(excerpts))
    citations = [
        Citation(number=number, url=one.url, title=one.title, excerpts=tuple(one.excerpts))
        for number, one in gathered.items()
    ]
    return tuple(citations), numbers


def _written(mark: Mark, defined: Mapping[int, Source], numbers: Mapping[str, int]) -> str:
    """A mark in the form `[3]`, with the number of its source. One that names no source stays unchanged."""
    if mark.url is not None:
        number = numbers[same_page(mark.url)]
        return mark.text if mark.numbers == (number,) else f"[{number}]({mark.url})"
    if mark.text.startswith("[") and mark.text[1:-1].replace(" ", "").replace(",", "").isdigit():
        return mark.text
    return f"[{', '.join(map(str, mark.numbers))}]" if defined.keys() >= set(mark.numbers) else mark.text
