"""An answer as the text channel of a tool result carries it: whole, with every citation, by itself."""

from collections.abc import Callable, Iterator, Sequence

from parallel_mcp.models import Answer, Basis, Citation

LEAST_TEXT = 1_000
"""Characters of an answer's text that stay, however little room the citations leave."""

Size = Callable[[Answer], int]


def fit(answer: Answer, limit: int, size: Size, whole_at: str | None) -> Answer:
    """The answer within `limit` characters as `size` counts them: excerpts go first, then the text.

    Citations are never cut. `whole_at` is where the whole can be read, if anywhere. What is missing is
    said in a warning; an answer that fits is given back itself.
    """
    if size(answer) <= limit:
        return answer
    where = f" The whole is at {whole_at}." if whole_at else ""
    for leaner in _leaner(answer, where):
        if size(leaner) <= limit:
            return leaner
    lean = answer.model_copy(update={"citations": _quoting(answer, 0), "basis": _reasoning(answer, 100)})
    if answer.data is not None:
        shorter = _cut(_warned(lean, f"The text was cut to fit; data is whole.{where}"), limit, size)
        if size(shorter) <= limit:
            return shorter
        lean = lean.model_copy(update={"data": None})
        return _cut(_warned(lean, f"The answer was cut to fit, and data left out.{where}"), limit, size)
    lost = ", and excerpts were left out" if _quotes(answer) else ""
    return _cut(_warned(lean, f"The text was cut to fit{lost}.{where}"), limit, size)


def _leaner(answer: Answer, where: str) -> Iterator[Answer]:
    """The answer with less and less beside its text."""
    for length in (300, 100, 0) if _quotes(answer) else ():
        warned = _warned(answer, f"Excerpts were {'shortened' if length else 'left out'} to fit.{where}")
        yield warned.model_copy(update={"citations": _quoting(answer, length)})
    lost = "Excerpts were left out and reasoning" if _quotes(answer) else "Reasoning was"
    for length in (300, 100):
        warned = _warned(answer, f"{lost} shortened to fit.{where}")
        yield warned.model_copy(update={"citations": _quoting(answer, 0), "basis": _reasoning(answer, length)})


def _quotes(answer: Answer) -> bool:
    return any(citation.excerpts for citation in answer.citations)


def _warned(answer: Answer, warning: str) -> Answer:
    return answer.model_copy(update={"warnings": (*answer.warnings, warning)})


def _quoting(answer: Answer, length: int) -> tuple[Citation, ...]:
    """The citations with excerpts of at most `length` characters; with none at 0."""
    return tuple(
        citation.model_copy(
            update={"excerpts": tuple(_short(text, length) for text in citation.excerpts) if length else ()}
        )
        for citation in answer.citations
    )


def _reasoning(answer: Answer, length: int) -> tuple[Basis, ...]:
    return tuple(entry.model_copy(update={"reasoning": _short(entry.reasoning, length)}) for entry in answer.basis)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _cut(answer: Answer, limit: int, size: Size) -> Answer:
    """The answer with as much of its text as there is room for."""
    room = limit - size(answer.model_copy(update={"content": ""}))
    while True:
        room = max(room, LEAST_TEXT)
        shorter = answer.model_copy(update={"content": _paragraphs(answer.content, room)})
        over = size(shorter) - limit
        if over <= 0 or room == LEAST_TEXT:
            return shorter
        # Quotes and line ends count twice in JSON.
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


def prose(answer: Answer, notes: Sequence[str] = ()) -> str:
    """The answer, its sources, and what to be careful about; `notes` are said of how it was come by."""
    parts = [answer.content.strip()]
    if answer.citations:
        parts.append("Sources:\n" + "\n".join(_source(citation) for citation in answer.citations))
    fields = _fields(answer.basis)
    if fields:
        parts.append(fields)
    low = [f"Low confidence in {entry.field}." for entry in answer.basis if entry.confidence == "low"][:10]
    careful = [*low, *answer.warnings, *notes]
    if careful:
        parts.append("Note: " + "\nNote: ".join(careful))
    if answer.interaction_id:
        parts.append(f"To ask on from here, pass follow_up_to={answer.interaction_id!r}.")
    return "\n\n".join(parts)


def _source(citation: Citation) -> str:
    title = f"{_line(citation.title)} - " if citation.title else ""
    quotes = "".join(f'\n    "{_line(excerpt)}"' for excerpt in citation.excerpts)
    return f"[{citation.number}] {title}{_line(citation.url)}{quotes}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _fields(basis: Sequence[Basis]) -> str:
    """Which sources stand behind which field, where an answer has several."""
    if len(basis) < 2:
        return ""
    lines = [f"- {entry.field}: {_marks(entry)}" for entry in basis]
    return "By field:\n" + "\n".join(lines)


def _marks(entry: Basis) -> str:
    marks = " ".join(f"[{number}]" for number in entry.citations) or "no source"
    return f"{marks} ({entry.confidence} confidence)" if entry.confidence else marks
