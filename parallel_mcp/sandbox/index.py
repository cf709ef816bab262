"""The index: SQLite's FTS5 over documents and their passages, cached by content.

FTS5's own `porter` tokenizer over `unicode61` stems the words. `Words` uses the same tokenizer for any other text, so
that questions and sentences are compared in the form that the index has.
"""

import hashlib
import json
import os
import re
import sqlite3
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import platformdirs

from parallel_mcp.sandbox.documents import Document
from parallel_mcp.sandbox.reading import Passage

KEPT = 12  # cached indexes; the least recently used are deleted

# Weights of a word in a document's title, headings, prose and code, and in a passage's title, heading, prose and code.
# Chosen on the tuning sets of benchmarks/retrieval.py.
DOCUMENT_WEIGHTS = (4.0, 2.0, 1.0, 0.5)
PASSAGE_WEIGHTS = (2.0, 2.0, 1.0, 0.3)
OFTEN, USUALLY = 5, 0.8  # a word that occurs this often, with a capital in this share of cases, is a name
EACH = 3  # passages considered per document
LEAD = 400  # characters at the beginning of a document, which say what it is about
# A corpus of fewer passages says little about how rare a word is, and is treated as if it had this many.
CROWD = 1_000

_TABLES = """
CREATE TABLE about(said TEXT);
CREATE TABLE document(number INTEGER PRIMARY KEY, url TEXT, title TEXT, lead TEXT);
CREATE TABLE name(word TEXT PRIMARY KEY);
CREATE TABLE passage(number INTEGER PRIMARY KEY, document INTEGER, heading TEXT, prose TEXT);
CREATE VIRTUAL TABLE documents USING fts5(title, headings, prose, code, content='', tokenize='porter unicode61');
CREATE VIRTUAL TABLE passages USING fts5(title, heading, prose, code, content='', tokenize='porter unicode61');
CREATE VIRTUAL TABLE frequency USING fts5vocab(passages, col);
"""

_INSIDE = re.compile(r"(?<=[a-z,;] )[A-Za-z]\w+")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that matches, its BM25 weight, and its document's.

    `lead` is how the document begins; the numbers of a document's passages follow the text.
    """

    number: int
    url: str
    title: str
    lead: str
    heading: str
    prose: str
    weight: float
    whole: float


class Words:
    """The words of a text: as written, in lower case, and as stemmed by FTS5."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._database.close)
        for name, tokenizer in (("stem", "porter unicode61"), ("word", "unicode61")):
            self._database.execute(f"CREATE VIRTUAL TABLE {name} USING fts5(text, tokenize='{tokenizer}')")
            self._database.execute(f"CREATE VIRTUAL TABLE {name}_at USING fts5vocab({name}, instance)")

    def stems(self, texts: Sequence[str]) -> list[list[str]]:
        """The stemmed words of each text, in order."""
        return self._read("stem", texts)

    def both(self, text: str) -> list[tuple[str, str]]:
        """Each word of a text, with its stem."""
        return list(zip(self._read("word", [text])[0], self._read("stem", [text])[0], strict=True))

    def _read(self, table: str, texts: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in texts]
        with self._lock:
            run = self._database
            # SQLite takes no lone surrogate, which JSON can bring.
            plain = (text.encode("utf-8", "replace").decode() for text in texts)
            run.executemany(f"INSERT INTO {table}(rowid, text) VALUES (?, ?)", enumerate(plain, 1))
            for number, term in run.execute(f"SELECT doc, term FROM {table}_at ORDER BY doc, offset"):
                found[number - 1].append(term)
            run.execute(f"DELETE FROM {table}")
        return found


class Index:
    """An index of one corpus. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        # Opened read-only and shared by all threads under one lock, since a search takes a few milliseconds.
        self._database = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._lock = threading.Lock()
        self.words = Words()
        self.said, self.documents, self.passages = self._query(
            "SELECT (SELECT said FROM about), (SELECT count(*) FROM document), (SELECT count(*) FROM passage)"
        )[0]
        self.names = frozenset(word for (word,) in self._query("SELECT word FROM name"))
        self.rarity = lru_cache(maxsize=20_000)(self._rarity)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def search(self, words: Sequence[str], documents: int, within: Sequence[str] = ()) -> list[Hit]:
        """Passages of the best documents that match any of the words. `within` limits the search to these URLs, if any.

        The words are as in `Words.both`.
        """
        if not words:
            return []
        only = "WHERE document IN (SELECT number FROM document WHERE url IN (SELECT value FROM json_each(:within)))"
        asked = " OR ".join(f'"{word}"' for word in words)
        values = {"asked": asked, "documents": documents, "within": json.dumps(within)}
        return [Hit(*row) for row in self._query(_SEARCH.format(within=only if within else ""), values)]

    def _rarity(self, stem: str) -> float:
        """How rare a word is: from about 0, in every passage's prose, to log(2 * (passages + 1)), in none."""
        rows = self._query("SELECT doc FROM frequency WHERE term = :stem AND col = 'prose'", {"stem": stem})
        held = rows[0][0] if rows else 0
        return log(1 + (max(CROWD, self.passages) - held + 0.5) / (held + 0.5))

    def _query(self, sql: str, values: Mapping[str, object] | None = None) -> list[Any]:
        with self._lock:
            return self._database.execute(sql, values or {}).fetchall()


_SEARCH = f"""
WITH whole AS MATERIALIZED (
  SELECT rowid AS document, -bm25(documents, {", ".join(map(str, DOCUMENT_WEIGHTS))}) AS weight
  FROM documents WHERE documents MATCH :asked
), part AS MATERIALIZED (
  SELECT rowid AS number, -bm25(passages, {", ".join(map(str, PASSAGE_WEIGHTS))}) AS weight
  FROM passages WHERE passages MATCH :asked
), found AS (
  SELECT document, number, part.weight, whole.weight AS whole
  FROM part JOIN passage USING (number) JOIN whole USING (document) {{within}}
), placed AS (
  SELECT *, row_number() OVER (PARTITION BY document ORDER BY weight DESC, number) AS place FROM found
), best AS (
  SELECT document FROM placed WHERE place = 1 ORDER BY weight + whole DESC, document LIMIT :documents
)
SELECT placed.number, url, title, lead, heading, prose, weight, whole
FROM placed JOIN best USING (document) JOIN document ON document.number = placed.document
JOIN passage ON passage.number = placed.number WHERE place <= {EACH} ORDER BY weight + whole DESC, placed.number
"""


def open_index(said: str, documents: Sequence[Document], progress: Progress | None = None) -> Index:
    """The index of some documents. Cached if the same code has indexed the same documents before."""
    folder = cache_folder()
    path = folder / f"{_digest(said, documents)}.sqlite3"
    if path.exists():
        path.touch()
        return Index(path)
    making = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    making.unlink(missing_ok=True)
    try:
        _build(making, said, documents, progress)
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)
    _sweep(folder)
    return Index(path)


def cache_folder() -> Path:
    """The folder of cached indexes, or a temporary one if the user has no writable cache folder."""
    try:
        folder = Path(platformdirs.user_cache_dir("parallel-mcp", appauthor=False)) / "sandbox"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return Path(mkdtemp(prefix="parallel-mcp-sandbox-"))


def _digest(said: str, documents: Sequence[Document]) -> str:
    read = hashlib.blake2b(f"{sqlite3.sqlite_version} {said}".encode(), digest_size=20)
    for name in ("reading.py", "documents.py", "index.py"):
        read.update(Path(__file__).with_name(name).read_bytes())
    for document in documents:
        text = f"{document.url}\0{document.title}\0{len(document.text)}\0{document.text}"
        read.update(text.encode("utf-8", "surrogatepass"))
    return read.hexdigest()


def _build(path: Path, said: str, documents: Sequence[Document], progress: Progress | None) -> None:
    database = sqlite3.connect(path)
    with closing(database):
        database.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES}")
        database.execute("INSERT INTO about VALUES (?)", (said,))
        number = 0
        inside: Counter[str] = Counter()
        for document, source in enumerate(documents, 1):
            title, parts = source.read()
            database.execute("INSERT INTO document VALUES (?, ?, ?, ?)", (document, source.url, title, _lead(parts)))
            whole = (document, title, *_whole(parts))
            database.execute("INSERT INTO documents(rowid, title, headings, prose, code) VALUES (?, ?, ?, ?, ?)", whole)
            for number, part in enumerate(parts, number + 1):  # noqa: B020  it counts through all documents
                texts = (part.heading, part.prose, part.code)
                inside.update(_INSIDE.findall(part.prose))
                database.execute("INSERT INTO passage VALUES (?, ?, ?, ?)", (number, document, *texts[:2]))
                row = (number, title, *texts)
                database.execute("INSERT INTO passages(rowid, title, heading, prose, code) VALUES (?, ?, ?, ?, ?)", row)
            if progress:
                progress(document, len(documents))
        database.executemany("INSERT INTO name VALUES (?)", ((word,) for word in sorted(_names(inside))))
        database.commit()
    path.chmod(0o600)


def _names(inside: Mapping[str, int]) -> set[str]:
    """The words, in lower case, that nearly always have a capital within sentences."""
    every: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for word, count in inside.items():
        every[word.lower()] += count
        capital[word.lower()] += 0 if word.islower() else count
    return {word for word, count in every.items() if count >= OFTEN and capital[word] >= USUALLY * count}


def _lead(parts: Sequence[Passage]) -> str:
    return next((part.prose for part in parts if part.prose), "")[:LEAD]


def _whole(parts: Sequence[Passage]) -> tuple[str, str, str]:
    """A document's headings, prose and code."""
    headings = " ".join(dict.fromkeys(part.heading for part in parts))
    return headings, "\n".join(part.prose for part in parts), "\n".join(part.code for part in parts)


def _sweep(folder: Path) -> None:
    """Delete the least recently used indexes."""
    kept = sorted(folder.glob("*.sqlite3"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT:]:
        # Another process may have it open, which some systems do not allow, or may have deleted it.
        with suppress(OSError):
            path.unlink()
