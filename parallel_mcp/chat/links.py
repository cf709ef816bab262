"""Links in text: Markdown links, URLs in angle brackets and bare URLs. Lazy, and linear in time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

_MOST_TITLE = 300
_MOST_URL = 4_000

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
# The characters that end a URL, and brackets, which a URL may contain in pairs.
_END = re.compile(r"""[()\s<>"\\^`{|}\[\]【】（），。、]|[,;](?=https?://)""", re.IGNORECASE)
_TITLE_BEFORE = re.compile(r"\[([^\[\]\n]*(?:\[[^\[\]\n]*\][^\[\]\n]*)*)\]\(<?\Z")
_TITLE_AFTER = re.compile(r"""\s{0,3}(?:"[^"\n]{0,300}"|'[^'\n]{0,300}')?\s{0,3}\)""")
_PLAIN_HOST = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?:[/?#]|\Z)")
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/(?:[\w/?#%&=+~.:@-]{0,3000}[a-z0-9/=&%-])?)?\Z",
    re.ASCII | re.IGNORECASE,
)
_TRAILING = ".,;:!?'\"*_~“”’»"


@dataclass(frozen=True, slots=True)
class Link:
    """A link at `start:end` of a text. `title` is empty for a bare URL."""

    start: int
    end: int
    url: str
    title: str = ""


def is_plain_url(text: str) -> bool:
    """Whether a text is one complete URL and nothing else, without trailing punctuation."""
    return _PLAIN_URL.match(text) is not None


def links_in(text: str) -> Iterator[Link]:
    """The http and https links of a text, in order."""
    at = 0
    while found := _SCHEME.search(text, at):
        link = _link(text, found.start())
        at = max(link.end, found.end())
        if is_web(link.url):
            yield link


def _link(text: str, start: int) -> Link:
    url = text[start : _end(text, start)].rstrip(_TRAILING)
    end = start + len(url)
    if text[start - 1 : start] == "<" and text[end : end + 1] == ">":
        start, end = start - 1, end + 1
    titled = None
    if text.endswith(("](", "](<"), 0, start + (text[start] == "<")):
        titled = _TITLE_BEFORE.search(text, max(start - _MOST_TITLE, 0), start + (text[start] == "<"))
    closing = _TITLE_AFTER.match(text, end) if titled else None
    if titled and closing:
        return Link(titled.start(), closing.end(), url, " ".join(titled[1].split()))
    return Link(start, end, url)


def _end(text: str, start: int) -> int:
    """The end of a URL. A closing bracket that was not opened in the URL ends a Markdown link."""
    depth = 0
    limit = min(start + _MOST_URL, len(text))
    for found in _END.finditer(text, start, limit):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth < 0 or found[0] not in "()":
            return found.start()
    return limit


def is_web(url: str) -> bool:
    """Whether it is a complete http or https URL."""
    if _PLAIN_HOST.match(url):
        return True
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def same_page(url: str) -> str:
    """A key that is equal for spellings of one URL. Scheme, case of the host and a trailing slash do not matter."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}{query}{fragment}" if parts.netloc else url
