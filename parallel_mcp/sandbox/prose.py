"""A document's text, read for its prose: sections, passages and sentences as spans of the text itself.

Markdown, reStructuredText and the plain text of Python's own topics go through one reader, because installed packages
describe themselves in all three and seldom say which. Nothing is rewritten: a span's text is the document's, character
for character, so that whatever is quoted can be found where it is said to stand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

PASSAGE_CHARACTERS = 700
SENTENCE_CHARACTERS = 600
HISTORY_PASSAGES = 4

_UNDERLINE = re.compile(r"^([=\-~^*#\"'`+])\1{2,}\s*$")
_ATX = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"^\s*(?:[-*+]\s+)?(```|~~~)")
_ITEM = re.compile(r"^(\s*)(?:[-*+•]|\d{1,3}[.)])\s+")
_DIRECTIVE = re.compile(r"^\s*\.\. ")
_BADGE = re.compile(r"^\s*(?:\[?!\[|\[!\[|\|[\w .+-]+\|(?:\s|$)|:target:|:alt:|:width:|<[/!a-zA-Z]|<!--|\[[^\]]+\]:\s)")
_LINK_ONLY = re.compile(r"^\W*(?:\[[^\]]*\]\([^)]*\)\W*)+$")
_GRAMMAR = re.compile(r"::=|^\s+\| ")
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)[.!?][\"')\]*_`”’]*(?=\s+[\"'(\[*_`“‘]*[A-Z0-9*_`\"“])"
)
_HISTORY = re.compile(
    r"change ?log|release|history|what'?s new|^version \d|^\[?v?\d+\.\d|\d{4}-\d\d-\d\d|credit|sponsor|licen[cs]e|"
    r"contribut|acknowledg|enterprise|support(?:ed|ing)? (?:us|python)|donat|funding|author|"
    r"who(?:'s| is) using|testimonial|code of conduct",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of prose under one heading. `spans` are its sentences, as (start, end) in the document's text."""

    heading: str
    start: int
    end: int
    spans: tuple[tuple[int, int], ...]
    history: bool  # release notes, credits, licences: what a package says of itself, not of what it does


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title, how deep it stands (1 is the top), and whether it stands under release notes or the like."""

    title: str = ""
    level: int = 0
    history: bool = False


@dataclass(slots=True)
class _Block:
    heading: Heading
    start: int
    end: int


def passages(text: str) -> list[Passage]:
    """The prose of a text, cut at headings and at about PASSAGE_CHARACTERS. Only the newest release notes are kept."""
    found: list[Passage] = []
    old = 0
    for run in _runs(text):
        heading = run[0].heading
        old += heading.history
        if heading.history and old > HISTORY_PASSAGES:
            continue
        spans = tuple(span for block in run for span in _sentences(text, block.start, block.end))
        if spans:
            found.append(Passage(heading.title, run[0].start, run[-1].end, spans, heading.history))
    return found


def _runs(text: str) -> Iterator[list[_Block]]:
    run: list[_Block] = []
    for block in _blocks(text):
        if run and (run[0].heading is not block.heading or block.end - run[0].start > PASSAGE_CHARACTERS):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def headings(text: str) -> list[str]:
    """The section headings of a text, in its order, each once."""
    return list(dict.fromkeys(block.heading.title for block in _blocks(text) if block.heading.title))


def _blocks(text: str) -> Iterator[_Block]:
    """Paragraphs and list items, with the heading that they stand under. Code, badges and tables are left out."""
    reader = _Reader()
    lines = _lines(text)
    for number, (start, end) in enumerate(lines):
        line = text[start:end]
        follows = text[slice(*lines[number + 1])] if number + 1 < len(lines) else ""
        if block := reader.feed(line, start, end, follows):
            yield block
    if reader.here:
        yield reader.here


class _Reader:
    """Takes a text line by line, and gives a block whenever one has ended."""

    def __init__(self) -> None:
        self.here: _Block | None = None
        self._heading = Heading()
        self._levels: dict[str, int] = {}  # underline character -> depth, in order of appearance
        self._fence = ""
        self._history_level = 0
        self._literal: int | None = None  # inside a literal block: lines indented deeper than this are code

    def feed(self, line: str, start: int, end: int, follows: str) -> _Block | None:
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if self._in_code(bare, indent):
            return self._close()
        if not bare or self._opens(line, bare, indent, follows):
            return self._close()
        done = self._close() if _ITEM.match(line) else None
        self.here = _Block(self._heading, self.here.start if self.here else start + indent, end)
        if bare.endswith("::"):
            self._literal = indent
        return done

    def _close(self) -> _Block | None:
        done, self.here = self.here, None
        return done

    def _in_code(self, bare: str, indent: int) -> bool:
        if self._fence:
            self._fence = "" if bare.startswith(self._fence) else self._fence
            return True
        if self._literal is None:
            return False
        if not bare or indent > self._literal:
            return True
        self._literal = None
        return False

    def _opens(self, line: str, bare: str, indent: int, follows: str) -> bool:
        """Whether a line opens something that is not prose: code, a heading, a directive, a badge."""
        if fence := _FENCE.match(line):
            self._fence = fence[1]
            return True
        if (title := _heading(bare, line, follows)) is not None:
            if title:
                self._enter(title, line, follows)
            return True
        if _DIRECTIVE.match(line):
            self._literal = indent
            return True
        return _left_out(line, bare)

    def _enter(self, title: str, line: str, follows: str) -> None:
        if line.lstrip().startswith("#"):
            level = len(line.lstrip()) - len(line.lstrip().lstrip("#"))
        else:
            level = self._levels.setdefault(follows[0], len(self._levels) + 1)
        inherited = self._heading.history and level > self._history_level
        history = inherited or bool(_HISTORY.search(title))
        if history and not inherited:
            self._history_level = level
        self._heading = Heading(title, level, history)


def _heading(bare: str, line: str, follows: str) -> str | None:
    """The heading that a line is, an empty string for a rule under or over one, or None for any other line."""
    if _UNDERLINE.match(line):
        return ""
    if atx := _ATX.match(line):
        return _plain(atx[1])
    under = _UNDERLINE.match(follows)
    if under and bare and line[0] not in " \t" and not bare.startswith(("-", "*", "|")):
        return _plain(bare)
    return None


def _left_out(line: str, bare: str) -> bool:
    if _BADGE.match(line) or _DIRECTIVE.match(line) or _GRAMMAR.search(line):
        return True
    return bare.startswith(("|", ">>>", "$ ", "+--")) or bool(_LINK_ONLY.match(bare))


def _plain(title: str) -> str:
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[*_`<>]+", "", title).strip() or title.strip()


def _lines(text: str) -> list[tuple[int, int]]:
    spans = []
    start = 0
    for line in text.splitlines(keepends=True):
        spans.append((start, start + len(line.rstrip("\r\n"))))
        start += len(line)
    return spans


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of the sentences of a block that read as prose. A list item's bullet is not part of its sentence."""
    if bullet := _ITEM.match(text[start:end]):
        start += bullet.end()
    at = start
    for stop in [*(match.end() for match in _SENTENCE_END.finditer(text, start, end)), end]:
        first, last = at, stop
        while first < last and text[first].isspace():
            first += 1
        while last > first and text[last - 1].isspace():
            last -= 1
        if reads_as_prose(text[first:last]):
            yield first, last
        at = stop


_URL = re.compile(r"\]\([^)]*\)|`?<?https?://[^\s>)]*>?`?_?")


def reads_as_prose(sentence: str) -> bool:
    """True for a sentence fit to be quoted: several words, mostly letters, no markup of badges, tables or code."""
    if not 20 <= len(sentence) <= SENTENCE_CHARACTERS:
        return False
    bare = _URL.sub("", sentence)
    letters = sum(map(str.isalpha, bare))
    blanks = bare.count(" ") + bare.count("\n")
    if blanks < 3 or letters < 15 or (letters + blanks) / len(bare) < 0.78:
        return False
    if sentence.count("](") > 3 or "![" in sentence or '="' in sentence or "</" in sentence:
        return False
    # Four blanks in a row inside a line are a table or code.
    return "    " not in re.sub(r"\n\s*", " ", sentence)


_WHOLE = re.compile(r"(?:\(?[A-Z0-9]|[\"'“‘*_`]+\w).*[.!?][\"'”’)*_`]*", re.DOTALL)


def is_whole(sentence: str) -> bool:
    """True for a sentence that begins and ends as one, and closes what it opens."""
    if not _WHOLE.fullmatch(sentence) or sentence.count("`") % 2 or sentence.count('"') % 2:
        return False
    return all(sentence.count(opens) == sentence.count(shuts) for opens, shuts in ("()", "[]", "{}", "“”"))


class _Text(HTMLParser):
    """HTML to the plain text that a reader sees, headings as `# ...` and code inside fences."""

    _BREAKS = frozenset(
        [
            "p",
            "div",
            "section",
            "article",
            "li",
            "ul",
            "ol",
            "table",
            "tr",
            "br",
            "hr",
            "blockquote",
            "dl",
            "dt",
            "dd",
            "header",
            "main",
            "figure",
        ]
    )
    _SILENT = frozenset(["script", "style", "nav", "footer", "head", "template", "svg", "noscript"])

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._silent = 0
        self._code = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = self._in_title or tag == "title"
        if tag in self._SILENT:
            self._silent += 1
        elif tag == "pre":
            self._code += 1
            self.pieces.append("\n\n```\n")
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self.pieces.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag == "li":
            self.pieces.append("\n\n- ")
        elif tag in self._BREAKS:
            self.pieces.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "pre":
            self._code = max(0, self._code - 1)
            self.pieces.append("\n```\n\n")
        elif tag in self._BREAKS or (len(tag) == 2 and tag[0] == "h"):
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._silent:
            self.pieces.append(data if self._code else re.sub(r"\s+", " ", data))


def from_html(page: str) -> tuple[str, str]:
    """The title (may be empty) and the readable text of an HTML page."""
    reader = _Text()
    reader.feed(page)
    reader.close()
    text = re.sub(r"[ \t]*\n[ \t]*(?:\n[ \t]*)+", "\n\n", "".join(reader.pieces)).strip()
    return " ".join(reader.title.split()), text
