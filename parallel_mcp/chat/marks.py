"""Marks in prose that name a source by its number: `[3]`, `[3, 4]`, `[^3]`, `【3†…】`, `[3](url)`."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ANY_MARK = range(1, 10_000)
"""The numbers that a mark may have."""

_NUMBERS = r"\^?\d{1,4}(?: {0,3}[,;–-] {0,3}\^?\d{1,4}){0,30}"
# Every form starts with a character of the first class, which a regular expression finds quickly.
_MARK = re.compile(
    r"[`\[【<](?:"
    r"(?<=`)(?P<code>``[\s\S]*?```|[^`\n]*`)"
    rf"|(?<=\[)(?<![\\!]\[)(?P<double>\[)?(?P<plain>{_NUMBERS})\](?(double)\])"
    r"(?P<target>\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\))?"
    r"|(?<=【)(?P<wide>\d{1,4})(?:[:†][^【】\n]{0,200})?】"
    r"|(?<=\[)(?P<dagger>\d{1,4})†[^\[\]\n]{0,200}\]"
    r"|(?<=<)sup>\[?(?P<sup>\d{1,4}(?: {0,3}, {0,3}\d{1,4}){0,30})\]?</sup>)"
)
_PART = re.compile(r"(\d+)(?: {0,3}[–-] {0,3}\^?(\d+))?")
_MOST_OF_A_RANGE = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark at `start:end`. `url` is set if it has one of its own."""

    start: int
    end: int
    text: str
    numbers: tuple[int, ...]
    url: str | None


def marks_in(text: str) -> Iterator[Mark]:
    """The marks of a text, in order, except in code."""
    for found in _MARK.finditer(text):
        if found["code"] is not None:
            continue
        numbers = tuple(_numbers(found["plain"] or found["wide"] or found["dagger"] or found["sup"]))
        target = (found["target"] or "()")[1:-1].strip("<>")
        if numbers and 0 not in numbers:
            url = target if target.startswith(("http://", "https://")) else None
            yield Mark(found.start(), found.end(), found.group(), numbers, url)


def _numbers(text: str) -> Iterator[int]:
    for part in _PART.finditer(text):
        first = int(part[1])
        last = int(part[2] or first)
        yield from range(first, last + 1) if first <= last < first + _MOST_OF_A_RANGE else (first,)


def rewritten(text: str, marks: Sequence[Mark], of: Callable[[Mark], str]) -> str:
    """The text with each mark replaced by what `of` returns for it."""
    parts: list[str] = []
    at = 0
    for mark in marks:
        parts += (text[at : mark.start], of(mark))
        at = mark.end
    return "".join((*parts, text[at:])) if parts else text
