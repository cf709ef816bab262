"""What the sandbox answers from: documents that are on this machine anyway, and an index over them.

The default corpus is the descriptions of the installed Python distributions and Python's own reference topics. A folder
of Markdown, text or HTML files can be added. Each term is weighed in each document by BM25F, field by
field, and in each passage by the BM25 of SQLite's FTS5, in memory; `engine` decides what to make of those weights.
"""

import importlib.metadata
import os
import pydoc
import re
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from math import log
from pathlib import Path
from typing import Literal, cast

from parallel_mcp.sandbox import prose
from parallel_mcp.sandbox.words import everyday, terms, topic_words

FILE_BYTES = 2_000_000
FOLDER_FILES = 10_000
SUFFIXES = frozenset({".md", ".markdown", ".txt", ".rst", ".html", ".htm"})

Level = Literal["documents", "passages"]

# What a term is worth in each field of a document, and BM25's two constants: how much a long field is marked down, and
# how slowly a term's repetitions stop counting. Chosen on the tuning questions and half of the development ones.
FIELDS = (("name", 4.0), ("summary", 4.0), ("everyday", 4.0), ("about", 3.0), ("headings", 2.0), ("body", 0.5))
LENGTH = 0.6
SATURATION = 3.0
# A corpus of fewer documents says little of how rare a word is, and is taken to have this many.
CROWD = 100


@dataclass(frozen=True, slots=True)
class Document:
    """One text with the address that it is cited by.

    `key` is `dist:NAME`, `topic:LABEL` or `file:PATH`. `about` (keywords, see-also words) and `everyday` (what people
    call it, in other words) stand in no sentence: they are searched but never quoted.
    """

    key: str
    url: str
    title: str
    name: str
    summary: str
    text: str
    about: str = ""
    everyday: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of the index: its document, its sentences' spans, and whether it is release notes or the like."""

    number: int
    document: int
    heading: str
    spans: tuple[tuple[int, int], ...]
    history: bool
    elsewhere: bool  # the same words stand in a shorter document too, which is the better one to cite


class Corpus:
    """Documents and their index. Immutable once built; safe to use from several threads."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents: tuple[Document, ...] = tuple(documents)
        self.passages: list[Found] = []
        self._passages_of: dict[int, list[Found]] = {}
        self._at: dict[str, list[Document]] = {}
        for document in self.documents:
            self._at.setdefault(document.url, []).append(document)
        # One connection for every thread, guarded by one lock: each query takes well under a millisecond.
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._build()
        # The weights of a term never change, and questions share their words.
        self.weights = lru_cache(maxsize=4096)(self._weights)

    def close(self) -> None:
        """Let go of the index."""
        self._database.close()

    def at(self, url: str) -> tuple[Document, ...]:
        """The documents that are cited by a URL: most often one. Two packages may name the same home page."""
        return tuple(self._at.get(url, ()))

    def contains(self, url: str, excerpt: str) -> bool:
        """Whether an excerpt stands, character for character, in a document that is cited by this URL."""
        return any(excerpt in document.text for document in self.at(url))

    def rarity(self, term: str) -> float:
        """How much a term tells, from about 0 (in every document) to `unheard` (in none)."""
        return self.unheard - log(2 * len(self._postings.get(term, ())) + 1)

    @property
    def unheard(self) -> float:
        """How much a term tells that is in no document."""
        return log(2 * (max(CROWD, len(self.documents)) + 1))

    def passages_of(self, number: int) -> Sequence[Found]:
        """A document's passages, in their order."""
        return self._passages_of.get(number, ())

    def known(self, term: str) -> bool:
        """Whether any document has the term or is known by it."""
        return term in self._postings

    def has_phrase(self, phrase: str) -> bool:
        """Whether words stand next to each other in any document, however they are capitalised."""
        said = " ".join(re.findall(r"\w+", phrase))
        return bool(said) and bool(
            self._query("SELECT rowid, 0 FROM plain WHERE plain MATCH ? LIMIT 1", (f'"{said}"',))
        )

    def plain(self, words: Collection[str], limit: int) -> list[Document]:
        """The documents that FTS5's bm25() ranks first with its default tokenizer, all words OR-ed, best first."""
        rows = self._query(
            "SELECT rowid FROM plain WHERE plain MATCH ? ORDER BY bm25(plain) LIMIT ?",
            (" OR ".join(f'"{word}"' for word in words), limit),
        )
        return [self.documents[row[0]] for row in rows] if words else []

    def _weights(self, level: Level, term: str) -> Mapping[int, float]:
        """The BM25 weight of one term in each document or passage that has it."""
        if level == "documents":
            rare = self.rarity(term)
            held = self._postings.get(term, {})
            return {number: rare * count / (count + SATURATION) for number, count in held.items()}
        return dict(
            self._query("SELECT rowid, -bm25(passages, 3.0, 1.0) FROM passages WHERE passages MATCH ?", (f'"{term}"',))
        )

    def _query(self, sql: str, values: tuple[object, ...]) -> list[tuple[int, float]]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()

    def _build(self) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode=OFF")
        run("CREATE VIRTUAL TABLE passages USING fts5(heading, body, content='')")
        run("CREATE VIRTUAL TABLE plain USING fts5(title, body, content='')")
        read = [prose.passages(document.text) for document in self.documents]
        owners = self._owners(read)
        rows: list[Mapping[str, list[str]]] = []
        for number, document in enumerate(self.documents):
            run("INSERT INTO plain(rowid, title, body) VALUES (?, ?, ?)", (number, document.title, document.text))
            body, headings = self._add_passages(number, read[number], owners)
            said = everyday(document.name, f"{document.summary} {document.about}")
            rows.append(
                {
                    "name": terms(document.name),
                    "summary": terms(document.summary),
                    "everyday": terms(document.everyday) or said,
                    "about": terms(document.about),
                    "headings": terms(" ".join(dict.fromkeys(headings))),
                    "body": body,
                }
            )
        self._database.commit()
        self._postings = _postings(rows)

    def _owners(self, read: list[list[prose.Passage]]) -> dict[str, int]:
        """A passage's first sentence -> the shortest document that has it."""
        owners: dict[str, int] = {}
        for number in sorted(range(len(read)), key=lambda each: len(self.documents[each].text), reverse=True):
            text = self.documents[number].text
            owners.update((text[slice(*passage.spans[0])], number) for passage in read[number])
        return owners

    def _add_passages(
        self, number: int, read: list[prose.Passage], owners: Mapping[str, int]
    ) -> tuple[list[str], list[str]]:
        """Index a document's passages. Returns their terms and headings, release notes and credits left out."""
        document = self.documents[number]
        body: list[str] = []
        names: list[str] = []
        for passage in read:
            elsewhere = owners[document.text[slice(*passage.spans[0])]] != number
            found = Found(len(self.passages), number, passage.heading, passage.spans, passage.history, elsewhere)
            said = terms(" ".join(document.text[a:b] for a, b in passage.spans))
            self.passages.append(found)
            self._passages_of.setdefault(number, []).append(found)
            self._database.execute(
                "INSERT INTO passages(rowid, heading, body) VALUES (?, ?, ?)",
                (found.number, " ".join(terms(passage.heading)), " ".join(said)),
            )
            if not passage.history:
                body.extend(said)
                names.append(passage.heading)
        return body, names


def _postings(rows: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, dict[int, float]]:
    """BM25F: for each term the documents that have it, and how often, each field weighed and marked down by length."""
    found: dict[str, dict[int, float]] = {}
    for field, worth in FIELDS:
        usual = sum(len(row[field]) for row in rows) / max(1, len(rows)) or 1.0
        for number, row in enumerate(rows):
            share = worth / (1 - LENGTH + LENGTH * len(row[field]) / usual)
            for term, count in Counter(row[field]).items():
                held = found.setdefault(term, {})
                held[number] = held.get(number, 0.0) + share * count
    return found


def load(named: Sequence[str | Path] = ()) -> Corpus:
    """The files of the named folders only; the default corpus where none is named. `installed` adds distributions.

    Raises ValueError for a folder that is not there.
    """
    if not (folders := folders_of(named)):
        return Corpus(default_documents())
    found = [document for folder in folders for document in folder_documents(folder)]
    return Corpus([*found, *(distribution_documents() if "installed" in named else ())])


def folders_of(named: Sequence[str | Path]) -> tuple[Path, ...]:
    """The folders of a corpus as it was named."""
    return tuple(Path(name).expanduser() for name in named if name != "installed")


def default_documents() -> tuple[Document, ...]:
    """The installed distributions' descriptions and Python's reference topics."""
    return (*distribution_documents(), *topic_documents())


# Installed distributions

# Which of a project's links says best where its text comes from.
_LINKS = """
homepage|home|documentation|docs|source|source code|sourcecode|repository|code|github
"""
_REGISTRY = re.compile(r"^https?://[^/]*pypi", re.IGNORECASE)


def distribution_documents(only: Mapping[str, str] | None = None) -> tuple[Document, ...]:
    """One document for each installed distribution that says something of itself.

    `only` restricts them to the given normalized names; its values (versions) are not looked at here.
    """
    found: dict[str, Document] = {}
    taken: set[str] = set()
    # Each look at `.metadata` parses the file anew.
    everything = [cast(Message, each.metadata) for each in importlib.metadata.distributions()]
    for about in sorted(everything, key=lambda each: normalized(each["Name"] or "")):
        name = normalized(about["Name"] or "")
        if not name or name in found or (only is not None and name not in only):
            continue
        if document := _distribution(about, name, taken):
            found[name] = document
            taken.add(document.url)
    return tuple(found.values())


def normalized(name: str) -> str:
    """A distribution's name as the packaging standard compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(about: Message, name: str, taken: set[str]) -> Document | None:
    summary = (about.get("Summary") or "").strip()
    body = str(about.get_payload() or about.get("Description") or "").strip()
    text = f"{summary}\n\n{body}".strip()
    if len(text) < 40:
        return None
    return Document(
        key=f"dist:{name}",
        url=_project_url(
            about.get_all("Project-URL") or [], about.get("Home-page") or "", name, about["Version"], taken
        ),
        title=f"{about['Name']} {about['Version']} - the installed package's own description",
        name=about["Name"],
        summary=summary,
        text=text,
        about=_keywords(about),
    )


def _project_url(labelled: list[str], home: str, name: str, version: str, taken: set[str]) -> str:
    """Where a package says that it lives; a package URL (purl) where it names no place of its own.

    A link that names the package comes before one that it shares with its siblings, and one that no other document is
    cited by before one that is.
    """
    links = {label.strip().lower(): url.strip() for label, _, url in (each.partition(",") for each in labelled)}
    links.setdefault("homepage", home.strip())
    usable = [links[label] for label in _LINKS.strip().split("|") if label in links]
    usable = [url for url in usable if url.startswith(("http://", "https://")) and not _REGISTRY.match(url)]
    bare = name.replace("-", "")
    usable.sort(key=lambda url: (url in taken, bare not in re.sub(r"[-_.]", "", url.lower())))
    return usable[0] if usable else f"pkg:pypi/{name}@{version}"


def _keywords(about: Message) -> str:
    classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith(("Topic", "Framework"))]
    parts = [part.strip() for each in classifiers for part in each.split("::")[1:]]
    dull = {"Libraries", "Python Modules", "Software Development", "Utilities", "Internet", "System"}
    return " ".join([about.get("Keywords") or "", *(part for part in parts if part not in dull)])


# Python's own reference topics

_REFERENCE = "https://docs.python.org/3/"
_PAGES = """
reference/simple_stmts.html: assert assignment augassign break continue del global import nonlocal pass raise return
reference/simple_stmts.html: yield
reference/compound_stmts.html: async class compound else for function if try while with type-params
reference/expressions.html: atom-identifiers atom-literals attribute-references await binary bitwise booleans calls
reference/expressions.html: comparisons conversions dict exprlists in lambda lists operator-summary power shifting
reference/expressions.html: slicings subscriptions unary
reference/datamodel.html: attribute-access callable-types context-managers customization numeric-types objects
reference/datamodel.html: sequence-types specialnames types
reference/executionmodel.html: dynamic-features exceptions execmodel naming
reference/lexical_analysis.html: floating id-classes identifiers imaginary integers numbers strings
library/stdtypes.html: bltin-code-objects bltin-ellipsis-object bltin-null-object bltin-type-objects specialattrs
library/stdtypes.html: string-methods truth typesfunctions typesmapping typesmethods typesmodules typesseq
library/stdtypes.html: typesseq-mutable
library/string.html: formatstrings
library/pdb.html: debugger
"""
_PAGE_OF = {
    label: page
    for page, _, labels in (line.partition(": ") for line in _PAGES.splitlines())
    for label in labels.split()
}


def topic_documents() -> tuple[Document, ...]:
    """Python's reference topics, as `help()` prints them, each cited by its page of the documentation."""
    from pydoc_data.topics import topics  # 460 kB of text: read only where a corpus is built

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return tuple(_topic(label, text.strip(), version) for label, text in sorted(topics.items()))


def topic_url(label: str) -> str:
    """The documentation page of a topic; the documentation's search for a label that this table does not know."""
    page = _PAGE_OF.get(label)
    return f"{_REFERENCE}{page}#{label}" if page else f"{_REFERENCE}search.html?q={label}"


def _topic(label: str, text: str, version: str) -> Document:
    heading = text.split("\n", 1)[0].strip()
    return Document(
        key=f"topic:{label}",
        url=topic_url(label),
        title=f"{heading} - Python {version}'s own reference",
        name=label.replace("-", " "),
        summary=heading,
        text=text,
        about=_see_also().get(label, ""),
        everyday=topic_words().get(label, ""),
    )


@lru_cache(maxsize=1)
def _see_also() -> dict[str, str]:
    """Label -> the words that `help()` takes for it."""
    said: dict[str, list[str]] = {}
    for table in (pydoc.Helper.topics, pydoc.Helper.keywords):
        for word, target in table.items():
            seen = 0
            while isinstance(target, str) and target and seen < 5:
                target = pydoc.Helper.topics.get(target, pydoc.Helper.keywords.get(target, ""))
                seen += 1
            if isinstance(target, tuple):
                said.setdefault(target[0], []).append(word.lower())
    return {label: " ".join(each) for label, each in said.items()}


# Folders


def folder_documents(folder: Path) -> tuple[Document, ...]:
    """The Markdown, text and HTML files under a folder, cited by file URL.

    Links that lead out of the folder are not followed; files over FILE_BYTES are left out, and so is what comes after
    the first FOLDER_FILES. Raises ValueError for a folder that is not there.
    """
    root = check_folder(folder)
    documents = []
    for count, path in enumerate(_files(root)):
        if count == FOLDER_FILES:
            break
        if document := _file(path, root):
            documents.append(document)
    return tuple(documents)


def check_folder(folder: Path) -> Path:
    """The folder, resolved. Raises ValueError where it is not a folder that can be read."""
    if not folder.is_dir():
        raise ValueError(f"The corpus folder {str(folder)!r} is not there, or is not a folder.")
    return folder.resolve()


def _files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in SUFFIXES and path.resolve().is_relative_to(root):
                yield path


def _file(path: Path, root: Path) -> Document | None:
    try:
        if not path.is_file() or path.stat().st_size > FILE_BYTES:
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name = path.relative_to(root).as_posix()
    title = ""
    if path.suffix.lower() in {".html", ".htm"}:
        title, text = prose.from_html(text)
    title = title or next(iter(prose.headings(text)), "") or path.stem
    if len(text) < 20:
        return None
    return Document(f"file:{name}", path.resolve().as_uri(), f"{title} - local file {name}", path.stem, title, text)
