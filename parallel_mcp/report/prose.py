"""An answer as the text channel of a tool result carries it: whole, with every citation, by itself."""

import json
from collections.abc import Sequence

from parallel_mcp.models import Answer, Basis, Citation


def prose(answer: Answer, notes: Sequence[str] = ()) -> str:
    """The answer, its sources, how sure it is, and what to be careful about; `notes` are what else is said of it."""
    parts = [answer.content.strip() or _data(answer)]
    if answer.citations:
        parts.append("Sources:\n" + "\n".join(_source(citation) for citation in answer.citations))
    parts += filter(None, [_confidence(answer.basis)])
    careful = [*answer.warnings, *notes]
    if careful:
        parts.append("Note: " + "\nNote: ".join(careful))
    return "\n\n".join(filter(None, parts))


def _data(answer: Answer) -> str:
    """The data as text, where the content went because data says the same."""
    return "" if answer.data is None else json.dumps(answer.data, ensure_ascii=False)


def _source(citation: Citation) -> str:
    title = f"{_line(citation.title)} - " if citation.title else ""
    quotes = "".join(f'\n    "{_line(excerpt)}"' for excerpt in citation.excerpts)
    return f"[{citation.number}] {title}{_line(citation.url)}{quotes}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _confidence(basis: Sequence[Basis]) -> str:
    """How sure the answer is; which sources are behind which field, where it has several."""
    if not basis:
        return ""
    if len(basis) == 1:
        return f"Confidence: {basis[0].confidence or 'not stated'}."
    lines = [f"- {entry.field}: {_marks(entry)}, confidence {entry.confidence or 'not stated'}" for entry in basis]
    return "By field:\n" + "\n".join(lines)


def _marks(entry: Basis) -> str:
    return " ".join(f"[{number}]" for number in entry.citations) or "no source"
