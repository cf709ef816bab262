"""Splits documents into passages: prose under one heading, with the code beside it.

Markdown, reStructuredText, AsciiDoc and plain text share one reader, because folders mix them and rarely say which is
which. A passage's prose is the document's own, character for character. Every step is linear in the text's length.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from selectolax.lexbor import LexborHTMLParser

PASSAGE_CHARACTERS = 700
PARAGRAPH_CHARACTERS = 2_000
SENTENCE_CHARACTERS = 500

Kind = Literal["heading", "prose", "code"]
Block = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Passage:
    """Prose under one heading, its paragraphs separated by blank lines, and its code, which is never quoted."""

    heading: str
    prose: str
    code: str = ""


def passages(blocks: Iterable[Block]) -> list[Passage]:
    """Passages of about PASSAGE_CHARACTERS of prose at most, made of the blocks under each heading."""
    found: list[Passage] = []
    heading = ""
    prose: list[str] = []
    code: list[str] = []

    def close() -> None:
        if prose or code:
            found.append(Passage(heading, "\n\n".join(prose), "\n".join(code)))
        prose.clear()
        code.clear()

    for kind, text in blocks:
        if kind == "heading":
            close()
            heading = text
        elif kind == "code":
            code.append(text)
        else:
            for part in _parts(text):
                if prose and sum(map(len, prose)) + len(part) > PASSAGE_CHARACTERS:
                    close()
                prose.append(part)
    close()
    return found


def _parts(text: str) -> Iterator[str]:
    """A paragraph in parts that are short enough for a passage, cut at the end of a sentence if possible."""
    while len(text) > PARAGRAPH_CHARACTERS:
        stop = text.rfind(". ", 0, PARAGRAPH_CHARACTERS) + 1 or PARAGRAPH_CHARACTERS
        yield text[:stop]
        text = text[stop:].lstrip()
    yield text


# HTML

_SILENT = "script,style,template,noscript,svg,nav,footer,head,[role=navigation],[role=search],[class^=nav],.headerlink"
_MARKS = {"heading": "\x02\x03", "code": "\x02\x04", "prose": "\x02"}
_BLOCKS: tuple[tuple[Kind, str], ...] = (
    ("heading", "h1,h2,h3,h4,h5,h6"),
    ("code", "pre"),
    ("prose", "p,div,section,article,li,ul,ol,dl,dt,dd,table,tr,td,th,br,hr,blockquote,figure,header,main,aside"),
)
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32)], " ")


def html_blocks(page: str) -> tuple[str, list[Block]]:
    """The title of an HTML page, which may be empty, and its blocks, as a reader sees them."""
    tree = LexborHTMLParser(page.translate(_CONTROL))
    title = tree.css_first("title")
    named = " ".join(title.text().split()) if title else ""
    for node in tree.css(_SILENT):
        node.decompose()
    for kind, selector in _BLOCKS:
        for node in tree.css(selector):
            node.insert_before(_MARKS[kind])
            node.insert_after("\x02")
    body = tree.css_first("main,[role=main]") or tree.body
    return named, list(_marked(body.text() if body else ""))


def _marked(text: str) -> Iterator[Block]:
    for piece in text.split("\x02"):
        kind: Kind = "heading" if piece[:1] == "\x03" else "code" if piece[:1] == "\x04" else "prose"
        said = piece.strip("\x03\x04") if kind == "code" else " ".join(piece.strip("\x03").split())
        if said.strip():
            yield kind, said


# Text

_RULE = re.compile(r"([=\-~^*#\"'`+._])\1{2,}\s*+")
_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])\s++")
_FENCES = ("```", "~~~")
_NOT_PROSE = (">>>", "$ ", "|", "+--", "![", "[![", "<", ".. ", ":", "//", "[[", "{{")
_DIRECTIVE = re.compile(r"\.\. (?:[\w-]*(?:code|literal|math|image|figure|toctree|table|raw|include)[\w-]*)::")


def text_blocks(text: str) -> Iterator[Block]:
    """The blocks of Markdown, reStructuredText, AsciiDoc or plain text."""
    lines = text.splitlines()
    reader = _Reader()
    start = _front_matter(lines)
    for at in range(start, len(lines)):
        yield from reader.feed(lines[at], lines[at + 1] if at + 1 < len(lines) else "")
    yield from reader.close()


def text_title(text: str) -> str:
    """The title of a text: the one in its front matter, or its first heading."""
    lines = text.splitlines()
    for line in lines[: _front_matter(lines)]:
        if line.lower().startswith("title:"):
            return line[6:].strip().strip("\"'")
    return next((said for kind, said in text_blocks(text) if kind == "heading"), "")


def _front_matter(lines: list[str]) -> int:
    if not lines or lines[0].strip() != "---":
        return 0
    return next((at + 1 for at, line in enumerate(lines[1:40], 1) if line.strip() == "---"), 0)


class _Reader:
    """Takes a text line by line and returns each block when it ends."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._fence = ""
        self._literal: int | None = None  # in a literal block, lines indented deeper than this are code

    def feed(self, line: str, follows: str) -> Iterator[Block]:
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if self._fence:
            if bare.startswith(self._fence):
                self._fence = ""
            else:
                yield "code", line
        elif self._in_literal(bare, indent):
            yield "code", line
        elif bare.startswith(_FENCES):
            yield from self.close()
            self._fence = bare[:3]
        elif not bare or _RULE.fullmatch(bare):
            yield from self.close()
        elif title := _heading(line, bare, follows):
            yield from self.close()
            yield "heading", plain(title)
        elif bare.startswith(_NOT_PROSE):
            yield from self.close()
            self._literal = indent if _DIRECTIVE.match(bare) else None
            yield "code", bare
        else:
            yield from self._prose(line, bare, indent)

    def close(self) -> Iterator[Block]:
        if self._lines:
            yield "prose", "\n".join(self._lines)
        self._lines = []

    def _prose(self, line: str, bare: str, indent: int) -> Iterator[Block]:
        if item := _ITEM.match(bare):
            yield from self.close()
            bare = bare[item.end() :]
        self._lines.append(line.rstrip() if self._lines else bare)
        if bare.endswith("::"):
            yield from self.close()
            self._literal = indent

    def _in_literal(self, bare: str, indent: int) -> bool:
        if self._literal is not None and bare and indent <= self._literal:
            self._literal = None
        return self._literal is not None


def _heading(line: str, bare: str, follows: str) -> str:
    """The heading in a line, or an empty string."""
    if bare.startswith("#") and len(line) - len(line.lstrip()) < 4:
        title = bare.lstrip("#")
        return title.strip().rstrip("#").strip() if title[:1].isspace() else ""
    if bare.startswith("=") and bare.lstrip("=")[:1] == " ":
        return bare.strip("= ")
    under = follows.strip()
    ruled = len(under) >= max(3, len(bare) - 3) and _RULE.fullmatch(under)
    return bare if ruled and line[:1].strip() and not bare.startswith(("|", "+-")) else ""


# Sentences

_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)[.!?][\"')\]*_`”’]*+(?=\s++[\"'(\[*_`“‘]*+(?:[A-Z0-9]|(?<=`)\w))"
)
_WHOLE = re.compile(r"[\"'(\[*_`“‘]*+(?:[A-Z0-9]|(?<=`)\w).*[.!?][\"'”’)*_`]*", re.DOTALL)


@lru_cache(maxsize=8_192)
def sentences(prose: str) -> tuple[str, ...]:
    """The sentences of a passage's prose that can be quoted, verbatim."""
    found = []
    for paragraph in prose.split("\n\n"):
        start = 0
        for stop in [*(match.end() for match in _END.finditer(paragraph)), len(paragraph)]:
            said = paragraph[start:stop].strip()
            start = stop
            if quotable(said):
                found.append(said)
    return tuple(found)


def quotable(sentence: str) -> bool:
    """Whether it starts and ends like a sentence, has balanced brackets and quotes, and is mostly words."""
    if not 20 <= len(sentence) <= SENTENCE_CHARACTERS or not _WHOLE.fullmatch(sentence):
        return False
    shown = plain(sentence)
    letters = sum(each.isalpha() for each in shown) + shown.count(" ")
    if shown.count(" ") < 3 or letters < 0.78 * len(shown):
        return False
    pairs = all(sentence.count(opens) == sentence.count(shuts) for opens, shuts in ("()", "[]", "{}", "“”"))
    return pairs and not sentence.count('"') % 2 and not shown.count("`") % 2


# Markup

_SHOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[([^\]\[]{0,300}+)\]\([^()\s]{0,1000}+\)"), ""),
    (re.compile(r"\[([^\]\[]{1,300}+)\](?:\([^()\s]{0,1000}+\)|\[[^\]\[]{0,100}+\])"), r"\1"),
    (re.compile(r":[a-z:+-]{1,40}+:`~?([^`<]{1,200}?)\s*+(?:<[^>`]{0,300}+>)?`"), r"\1"),
    (re.compile(r"`([^`<]{1,200}?) ?<[^>`]{1,500}+>`_{1,2}"), r"\1"),
    (re.compile(r"\[[#*\d]{1,4}\]_"), ""),
    (re.compile(r"``([^`]{1,300}+)``_?"), r"\1"),
    (re.compile(r"`([^`]{1,300}+)`_{0,2}"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^<>]{0,200}+>"), ""),
    (re.compile(r"\*{1,3}(?=\S)([^*]{1,300}+)(?<=\S)\*{1,3}"), r"\1"),
    (re.compile(r"\\([*_`\[\]<>|])"), r"\1"),
)


_BROKEN = re.compile(r"(?<=\w)-\s*\n\s*+(?=\w)")


def plain(text: str) -> str:
    """The text on one line, without its markup."""
    for pattern, shown in _SHOWN:
        text = pattern.sub(shown, text)
    return " ".join(_BROKEN.sub("-", text).split())
