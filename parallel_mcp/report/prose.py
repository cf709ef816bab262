"""An answer as the text of a tool result: complete on its own, with every citation."""

import json
from collections.abc import Sequence

from parallel_mcp.models import Answer, Basis, Citation


def prose(answer: Answer, notes: Sequence[str] = ()) -> str:
    """The answer, its sources, its confidence and its warnings. `notes` are added to the warnings."""
    parts = [answer.content.strip() or _data(answer)]
    if answer.citations:
        parts.append("Sources:\n" + "\n".join(_source(citation) for citation in answer.citations))
    parts += filter(None, [_confidence(answer.basis)])
    careful = [*answer.warnings, *notes]
    if careful:
        parts.append("Note: " + "\nNote: ".join(careful))
    return "\n\n".join(filter(None, parts))


def _data(answer: Answer) -> str:
    """The data as text, if the content was dropped because data says the same."""
    return "" if answer.data is None else json.dumps(answer.data, ensure_ascii=False)


def _source(citation: Citation) -> str:
    title = f"{_line(citation.title)} - " if citation.title else ""
    quotes = "".join(f'\n    "{_line(excerpt)}"' for excerpt in citation.excerpts)
    return f"[{citation.number}] {title}{_line(citation.url)}{quotes}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _confidence(basis: Sequence[Basis]) -> str:
    """The confidence of the answer. If it has several fields, also the sources of each."""
    if not basis:
        return ""
    if len(basis) == 1:
        return f"Confidence: {basis[0].confidence or 'not stated'}."
    lines = [f"- {entry.field}: {_marks(entry)}, confidence {entry.confidence or 'not stated'}" for entry in basis]
    return "By field:\n" + "\n".join(lines)


def _marks(entry: Basis) -> str:
    return " ".join(f"[{number}]" for number in entry.citations) or "no source"
