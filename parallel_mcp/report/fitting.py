"""Fits an answer into a limit, by dropping the least important parts first."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from parallel_mcp.models import Answer, Basis, Citation, Confidence

LEAST_TEXT = 1_000
"""Characters of an answer's text that are always kept, however little room the citations leave."""

Size = Callable[[Answer], int]


def fit(answer: Answer, limit: int, size: Size, whole_at: str | None) -> Answer:
    """The answer within `limit`, as measured by `size`.

    Parts are dropped in this order, and only as far as needed: repeated excerpts, excerpts, reasoning, the basis of
    children (merged into their parents'), `content` if `data` says the same, and finally the end of the text.
    Citations are never cut. `data` is never shortened: it is dropped as a whole, last, and only if it can be read at
    `whole_at`. A warning names what is missing. An answer that fits is returned unchanged.
    """
    if answer.data is None and len(answer.content) > 2 * limit:
        # Text that has to go anyway would only slow down each attempt.
        answer = answer.model_copy(update={"content": answer.content[: 2 * limit]})
    elif size(answer) <= limit:
        return answer
    where = f" The full answer is at {whole_at}." if whole_at else ""
    shorter = answer
    lost = ""
    for shorter, lost in _shorter(answer):
        warned = _warned(shorter, f"{lost} left out to fit.{where}")
        if size(warned) <= limit:
            return warned
    if answer.data is None:
        return _cut(_warned(shorter, f"{lost} left out to fit, and the text was cut.{where}"), limit, size)
    if whole_at is None:
        return _warned(shorter, f"{lost} left out to fit.")
    return _warned(shorter.model_copy(update={"data": None}), f"{lost} left out to fit, and so was data.{where}")


def _shorter(answer: Answer) -> Iterator[tuple[Answer, str]]:
    """The answer with less and less besides its text and data, each with words for what is missing."""
    if any(citation.excerpts for citation in answer.citations):
        answer = answer.model_copy(update={"citations": _without_repeats(answer.citations)})
        yield answer, "Repeated excerpts were"
        for length in (300, 100, 0):
            answer = answer.model_copy(update={"citations": _quoting(answer.citations, length)})
            yield answer, "Parts of excerpts were" if length else "Excerpts were"
    lost = "Excerpts" if answer.citations else "Details"
    for length in (300, 100, 0):
        answer = answer.model_copy(update={"basis": _reasoning(answer.basis, length)})
        yield answer, f"{lost} and {'parts of ' if length else ''}reasoning were"
    if len(answer.basis) > 1:
        answer = answer.model_copy(update={"basis": _folded(answer.basis)})
        yield answer, f"{lost}, reasoning and the basis of parts were"
    if answer.data is not None and answer.content:
        answer = answer.model_copy(update={"content": ""})
        yield answer, f"{lost}, reasoning, the basis of parts, and content that repeats data were"


def _warned(answer: Answer, warning: str) -> Answer:
    return answer.model_copy(update={"warnings": (*answer.warnings, warning)})


def _without_repeats(citations: tuple[Citation, ...]) -> tuple[Citation, ...]:
    """The citations with each excerpt only where it appears first."""
    seen: set[str] = set()
    once: list[Citation] = []
    for citation in citations:
        texts = {" ".join(text.split()): text for text in citation.excerpts}
        kept = tuple(text for words, text in texts.items() if words not in seen)
        seen |= texts.keys()
        once.append(citation.model_copy(update={"excerpts": kept}))
    return tuple(once)


def _quoting(citations: tuple[Citation, ...], length: int) -> tuple[Citation, ...]:
    """The citations with excerpts of at most `length` characters, or none if that is 0."""
    return tuple(
        citation.model_copy(
            update={"excerpts": tuple(_short(text, length) for text in citation.excerpts) if length else ()}
        )
        for citation in citations
    )


def _reasoning(basis: tuple[Basis, ...], length: int) -> tuple[Basis, ...]:
    return tuple(entry.model_copy(update={"reasoning": _short(entry.reasoning, length)}) for entry in basis)


def _folded(basis: tuple[Basis, ...]) -> tuple[Basis, ...]:
    """One entry per top-level field, with all sources of its parts and the lowest confidence among them."""
    fields: dict[str, list[Basis]] = {}
    for entry in basis:
        fields.setdefault(entry.field.partition(".")[0], []).append(entry)
    return tuple(
        Basis(
            field=field,
            reasoning="",
            confidence=_lowest(parts),
            citations=tuple(sorted(set(chain.from_iterable(entry.citations for entry in parts)))),
        )
        for field, parts in fields.items()
    )


def _lowest(parts: Sequence[Basis]) -> Confidence | None:
    order: tuple[Confidence, ...] = ("low", "medium", "high")
    return next((word for word in order if any(entry.confidence == word for entry in parts)), None)


def _short(text: str, length: int) -> str:
    if not length:
        return ""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _cut(answer: Answer, limit: int, size: Size) -> Answer:
    """The answer with as much of its text as fits."""
    room = limit - size(answer.model_copy(update={"content": ""}))
    while True:
        room = max(room, LEAST_TEXT)
        shorter = answer.model_copy(update={"content": _paragraphs(answer.content, room)})
        over = size(shorter) - limit
        if over <= 0 or room == LEAST_TEXT:
            return shorter
        # Quotes and line breaks take two characters in JSON.
        room -= max(over, room // 50)


def _paragraphs(text: str, room: int) -> str:
    """The text up to the last paragraph, line or word that ends within `room` characters."""
    if len(text) <= room:
        return text
    for mark in ("\n\n", "\n", " "):
        end = text.rfind(mark, room // 2, room)
        if end > 0:
            return text[:end].rstrip() + "\n\n[cut here]"
    return text[:room] + "\n\n[cut here]"
