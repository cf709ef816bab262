"""The list of references in an answer's prose: numbered, bulleted, linked or bare."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parallel_mcp.chat.links import Link, links_in, same_page
from parallel_mcp.chat.marks import Mark, marks_in

_TITLE_CHARS = 300
_SAID_CHARS = 400
"""An entry with more text than this beside its link is prose, and has to stay."""

_WORDS = (
    "references?|sources?|citations?|bibliography|footnotes?|endnotes?|works cited|further reading|links|"
    "quellen|literatur|références|sources citées|fuentes|referencias|fontes|referências|fonti|riferimenti|"
    "источники|参考文献|参考资料|來源|来源|出典|출처"
)
_HEADING = re.compile(rf"\W{{0,8}}(?:{_WORDS})(?: (?:list|cited|used|and links))?\W{{0,6}}", re.IGNORECASE)
_ON_ONE_LINE = re.compile(
    rf"(?:^\W{{0,6}}|#{{1,6}} {{0,3}})(?:{_WORDS})\W{{0,4}}(?:[:：]\W{{0,4}}|\s)(?=\S)", re.IGNORECASE
)
_LABEL = re.compile(
    r"[ \t>]{0,20}(?:[-*+•] {0,4})?(?:\*\*|__)?"
    r"(?:(?P<note>\[\^?(?P<a>\d{1,4})\]:)|\\?\[\^?(?P<b>\d{1,4})\\?\]|【(?P<c>\d{1,4})】|\((?P<d>\d{1,4})\)|(?P<e>\d{1,4})[.)](?=\s|\*|\[))"
    r"(?:\*\*|__)?[:.]?\s?"
)
_BULLET = re.compile(r"[ \t>]{0,20}[-*+•][ \t]+")
_INLINE_LABEL = re.compile(r"(?:\[\^?(\d{1,4})\]|(?<![\d.])(\d{1,4})[.)](?=\s))")
_LINE = re.compile(r"[^\n]+")
_LINE_CHARS = 100_000
_RULE = re.compile(r"\s*(?:---+|\*\*\*+|___+)\s*\Z")
_AROUND_TITLE = " \t*_\"'“”‘’.,:;–—-()<>[]|"


Named = tuple[str, str | None]
"""A URL and a title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list, at `start:end`. It may have a number without a URL, or a URL without a number."""

    start: int
    end: int
    number: int | None
    url: str | None
    title: str | None
    note: bool = False


@dataclass(frozen=True, slots=True)
class References:
    """The prose without its list, and the sources in that list. An unnumbered list is numbered in order."""

    prose: str
    numbered: dict[int, Named]
    unnumbered: tuple[Named, ...]
    doubtful: frozenset[int] = frozenset()
    """Numbers that the list gives to two sources, or to one without a URL."""


def references(text: str) -> References:
    """Read the prose's own list of references. A text without one is returned unchanged."""
    lists = _chosen(text, list(_lists(text)))
    numbered: dict[int, Named] = {}
    unnumbered: list[Named] = []
    doubtful: set[int] = set()
    for entry in (entry for each in lists for entry in each.entries):
        if entry.number is None and entry.url is not None:
            unnumbered.append((entry.url, entry.title))
        elif entry.number is not None and entry.url is None:
            doubtful.add(entry.number)
        elif entry.number is not None and entry.url is not None:
            known = numbered.setdefault(entry.number, (entry.url, entry.title))
            if same_page(known[0]) != same_page(entry.url):
                doubtful.add(entry.number)
                unnumbered.append((entry.url, entry.title))
    if unnumbered and not numbered and not doubtful:
        numbered, unnumbered = dict(enumerate(unnumbered, 1)), []
    for number in doubtful & numbered.keys():
        unnumbered.append(numbered.pop(number))
    return References(_without(text, lists), numbered, tuple(unnumbered), frozenset(doubtful))


@dataclass(frozen=True, slots=True)
class _List:
    start: int
    end: int
    entries: Sequence[Entry]
    named: bool
    """Whether a heading introduces it."""

    @property
    def whole(self) -> bool:
        """Whether nothing is lost by removing it from the prose."""
        return all(entry.url is not None for entry in self.entries)


def _without(text: str, lists: Sequence[_List]) -> str:
    parts: list[str] = []
    at = 0
    for each in (each for each in lists if each.whole):
        parts.append(_after(text[at : each.start], at))
        at = each.end
    return "\n\n".join(filter(None, (*parts, _after(text[at:], at)))) if at else text


def _after(text: str, at: int) -> str:
    """The text between two lists, without the end of the list before it."""
    return (text.lstrip(" \t.,;)\n") if at else text).rstrip()


def _lists(text: str) -> Iterator[_List]:
    """Runs of adjacent entries, at least one of them with a URL, each run with its heading."""
    run: list[Entry] = []
    for entry in (*_entries(text), None):
        if entry is None or (run and not _blank(text, run[-1].end, entry.start)):
            if any(each.url is not None for each in run):
                yield _list(text, run)
            run = []
        if entry is not None:
            run.append(entry)


def _blank(text: str, start: int, end: int) -> bool:
    return end - start <= 100 and not text[start:end].strip(" \t\n\r,;.|)")


def _list(text: str, run: list[Entry]) -> _List:
    start, end = run[0].start, run[-1].end
    line_start, line = _line_before(text, start)
    if named := bool(line.strip() and _HEADING.fullmatch(line.strip())):
        start = line_start
    else:
        named = _ON_ONE_LINE.match(text[start : start + 200]) is not None
    rule_start, rule = _line_before(text, start)
    if rule.strip() and _RULE.match(rule):
        start = rule_start
    return _List(start, end, tuple(run), named)


def _line_before(text: str, place: int) -> tuple[int, str]:
    """The last non-blank line before a place, and where it starts. Looks back over a few blank lines only."""
    end = place
    for _ in range(4):
        end = text.rfind("\n", 0, end)
        if end < 0:
            return 0, ""
        start = text.rfind("\n", max(end - 120, 0), end) + 1
        if start == 0 and end > 120:
            return 0, ""
        if text[start:end].strip():
            return start, text[start:end]
    return 0, ""


def _chosen(text: str, lists: list[_List]) -> list[_List]:
    """The lists that are references: by their heading, as footnotes, or because marks refer to them."""
    said = [each for each in lists if each.named or all(entry.note for entry in each.entries)]
    if said:
        return said
    marks = list(marks_in(text)) if lists else []
    starts = [mark.start for mark in marks]
    everywhere = _counted(marks)
    for each in reversed(lists):
        inside = _counted(marks[bisect_left(starts, each.start) : bisect_left(starts, each.end)])
        numbers = {entry.number for entry in each.entries if entry.number is not None}
        if any(everywhere[number] > inside[number] for number in numbers):
            return [each]
        if not numbers and not text[each.end : each.end + 1_000].strip() and not text[each.end :].strip():
            outside = (everywhere - inside).keys()
            if outside and max(outside) <= len(each.entries):
                return [each]
    return []


def _counted(marks: Iterable[Mark]) -> Counter[int]:
    return Counter(number for mark in marks for number in mark.numbers)


def _entries(text: str) -> Iterator[Entry]:
    """Lines that may be list entries, in order."""
    waiting: Entry | None = None
    for line in _LINE.finditer(text):
        start, end = line.span()
        if text.find("://", start, end) < 0:
            if waiting:
                yield waiting
            label = _LABEL.match(text, start, end)
            waiting = Entry(start, end, _number(label), None, _cleaned(text[label.end() : end])) if label else None
            continue
        entries = _of_line(text, start, end)
        if waiting and len(entries) == 1 and entries[0].number is None and not text[waiting.end : start].strip():
            # A URL on its own line belongs to the label above it.
            yield Entry(waiting.start, end, waiting.number, entries[0].url, waiting.title or entries[0].title)
        else:
            yield from (waiting,) if waiting else ()
            yield from entries
        waiting = None
    if waiting:
        yield waiting


def _of_line(text: str, start: int, end: int) -> list[Entry]:
    """The entries of a line that has a URL. Very long lines have none."""
    if end - start > _LINE_CHARS:
        return []
    line = text[start:end]
    listed = _ON_ONE_LINE.search(line)
    if listed is not None and "://" in line[listed.end() :]:
        return list(_of_one_line(line, listed, start))
    links = list(links_in(line))
    if not links:
        return []
    link = links[0]
    label = _LABEL.match(line)
    if len(line) - (link.end - link.start) > _SAID_CHARS:
        return []
    if label is not None:
        return [Entry(start, end, _number(label), link.url, _title(line, label.end(), link), label["note"] is not None)]
    bullet = _BULLET.match(line)
    if len(links) == 1 and (bullet or not line[link.end :].strip(_AROUND_TITLE)):
        return [Entry(start, end, None, link.url, _title(line, bullet.end() if bullet else 0, link))]
    return []


def _of_one_line(line: str, word: re.Match[str], offset: int) -> Iterator[Entry]:
    """Entries on the same line as the word that introduces them."""
    start = word.start()
    before = word.end()
    for link in links_in(line[word.end() :]):
        link_start, link_end = link.start + word.end(), link.end + word.end()
        labels = list(_INLINE_LABEL.finditer(line, before, link_end))
        number = int(labels[-1][1] or labels[-1][2]) if labels else None
        words_from = labels[-1].end() if labels and labels[-1].end() <= link_start else before
        title = link.title if not link.title.isdigit() else ""
        yield Entry(offset + start, offset + link_end, number, link.url, title or _cleaned(line[words_from:link_start]))
        before, start = link_end, link_end


def _number(label: re.Match[str]) -> int:
    return int(next(label[name] for name in "abcde" if label[name] is not None))


def _title(line: str, words_from: int, link: Link) -> str | None:
    if link.title and not link.title.isdigit():
        return link.title[:_TITLE_CHARS]
    return _cleaned(line[words_from : link.start]) or _cleaned(line[link.end :])


def _cleaned(words: str) -> str | None:
    return " ".join(words.split()).strip(_AROUND_TITLE)[:_TITLE_CHARS] or None
