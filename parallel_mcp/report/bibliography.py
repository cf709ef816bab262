"""A research run's sources as bibliography entries, for BibTeX, RIS and CSL-JSON."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote, urlsplit

from parallel_mcp.models import Citation, Research

_UNSEEN = re.compile("[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]+")
_URL_SAFE = ":/?#[]@!$&'()*+,;=%-._~"


@dataclass(frozen=True, slots=True)
class Entry:
    """One source. `key` is ASCII and unique within the run, `url` is ASCII, and texts are single lines."""

    key: str
    title: str
    url: str
    site: str
    accessed: date
    excerpts: tuple[str, ...]


def entries(research: Research) -> Iterator[Entry]:
    """The sources in the order of their numbers, accessed on the day the run started."""
    accessed = datetime.fromisoformat(research.created_at).date()
    run = re.sub("[^A-Za-z0-9]", "", research.research_id)[-8:]
    for citation in research.answer.citations if research.answer is not None else ():
        url = quote(_line(citation.url), safe=_URL_SAFE)
        site = _site(url)
        yield Entry(
            key=f"{re.sub('[^a-z0-9]', '', site) or 'source'}-{run}-{citation.number}",
            title=_line(citation.title or "") or site or url,
            url=url,
            site=site,
            accessed=accessed,
            excerpts=_excerpts(citation),
        )


def _excerpts(citation: Citation) -> tuple[str, ...]:
    return tuple(line for line in map(_line, citation.excerpts) if line)


def _site(url: str) -> str:
    """The host name of a URL, or "" if it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _line(text: str) -> str:
    return " ".join(_UNSEEN.sub(" ", text).split())
