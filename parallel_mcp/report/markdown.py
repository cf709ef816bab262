"""A research run as Markdown, for people and for files."""

import re
from urllib.parse import quote, urlsplit, urlunsplit

from parallel_mcp.models import Answer, Citation, Research


def markdown(research: Research) -> str:
    """The question, the answer as it arrived, and the sources with their excerpts, numbered as in the answer.

    Titles and excerpts are text from the web, so they are escaped, and only http(s) URLs become links.
    """
    facts = f"{research.model} - {research.created_at} - {research.status} - {research.seconds:.0f} s"
    parts = [f"# {_line(research.question)}", f"_{facts}_"]
    if research.error:
        parts.append(_escaped(research.error))
    if research.answer is not None:
        parts += _answer(research.answer)
    return "\n\n".join(parts) + "\n"


def _answer(answer: Answer) -> list[str]:
    parts = [_fenced(answer.content) if answer.data is not None else answer.content]
    if answer.citations:
        parts += ["## Sources", "\n".join(_source(citation) for citation in answer.citations)]
    if answer.basis:
        parts += ["## Basis", "\n".join(_basis(answer))]
    if answer.warnings:
        parts += ["## Notes", "\n".join(f"- {_escaped(warning)}" for warning in answer.warnings)]
    return [*parts, f"_Cost: {'unknown' if answer.cost_usd is None else f'${answer.cost_usd:.3f}'}_"]


def _fenced(text: str) -> str:
    """JSON in a code fence that no backticks in it can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}json\n{text}\n{fence}"


def _basis(answer: Answer) -> list[str]:
    lines = []
    for entry in answer.basis:
        marks = "".join(rf"\[{number}\]" for number in entry.citations)
        sure = f" ({entry.confidence} confidence)" if entry.confidence else ""
        lines.append(f"- **{_line(entry.field)}**{sure} {marks} {_line(entry.reasoning)}".rstrip())
    return lines


def _source(citation: Citation) -> str:
    """A bullet with the number. An ordered list would number itself, but the numbers may have gaps."""
    lines = [rf"- \[{citation.number}\] {_link(citation)}"]
    lines += [f"  > {_line(excerpt)}" for excerpt in citation.excerpts]
    return "\n".join(lines)


def _link(citation: Citation) -> str:
    title = _line(citation.title or citation.url)
    url = _web_url(citation.url)
    return f"[{title}](<{url}>)" if url else f"{title} - `{_line(citation.url).replace('`', '')}`"


def _web_url(url: str) -> str | None:
    """An http(s) URL in ASCII, with its host in punycode so that lookalike letters cannot imitate another host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            return None
        if not host.isascii():
            netloc = host.encode("idna").decode("ascii") + (f":{parts.port}" if parts.port else "")
            url = urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))
    except (ValueError, UnicodeError):
        return None
    return quote(url, safe=_URL_SAFE)


_URL_SAFE = ":/?#[]@!$&'*+,;=%~-._"
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!])")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _line(text: str) -> str:
    return _escaped(" ".join(text.split()))
