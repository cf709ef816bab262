"""A research as Markdown, for people and for files."""

import re
from urllib.parse import quote, urlsplit

from parallel_mcp.models import Answer, Citation, Research


def markdown(research: Research) -> str:
    """The question, the answer as it came, and numbered sources with their excerpts.

    Titles and excerpts are text from the web: they are escaped, and only http(s) URLs become links.
    """
    facts = f"{research.model} - {research.created_at} - {research.status} - {research.seconds:.0f} s"
    parts = [f"# {_line(research.question)}", f"_{facts}_"]
    if research.error:
        parts.append(_escaped(research.error))
    if research.answer is not None:
        parts += _answer(research.answer)
    return "\n\n".join(parts) + "\n"


def _answer(answer: Answer) -> list[str]:
    parts = [f"```json\n{answer.content}\n```" if answer.data is not None else answer.content]
    if answer.citations:
        parts += ["## Sources", "\n".join(_source(citation) for citation in answer.citations)]
    if answer.basis:
        parts += ["## Basis", "\n".join(_because(answer))]
    if answer.warnings:
        parts += ["## Notes", "\n".join(f"- {_escaped(warning)}" for warning in answer.warnings)]
    return [*parts, f"_Cost: ${answer.cost_usd:.3f}_"]


def _because(answer: Answer) -> list[str]:
    lines = []
    for entry in answer.basis:
        marks = "".join(f"[{number}]" for number in entry.citations)
        sure = f" ({entry.confidence})" if entry.confidence else ""
        lines.append(f"- **{_line(entry.field)}**{sure} {marks} {_line(entry.reasoning)}".rstrip())
    return lines


def _source(citation: Citation) -> str:
    lines = [f"{citation.number}. {_link(citation)}"]
    lines += [f"   > {_line(excerpt)}" for excerpt in citation.excerpts]
    return "\n".join(lines)


def _link(citation: Citation) -> str:
    title = _line(citation.title or citation.url)
    try:
        linked = urlsplit(citation.url).scheme in ("http", "https")
    except ValueError:
        linked = False
    return f"[{title}](<{quote(citation.url, safe=_URL_SAFE)}>)" if linked else f"{title} - `{_line(citation.url)}`"


_URL_SAFE = ":/?#[]@!$&'*+,;=%~-._"
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!])")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _line(text: str) -> str:
    return _escaped(" ".join(text.split()))
