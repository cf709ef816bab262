"""How well the sandbox finds answers, and admits that there is none, on documentation that it was not made for.

Run as `python -m benchmarks.retrieval [--corpora FOLDER]`. The first run downloads the packages in `pins.txt` into the
folder, with apt-get and npm. The engine is compared with plain BM25: SQLite's FTS5 with its default tokenizer over
whole documents, with all words of the question OR-ed, which always answers. A refusal by the engine counts as a miss.

The engine's weights and bounds were fitted on the questions of TUNING alone, by `benchmarks.fitting`. All questions
were written from the documents' contents before anything was run on them. The right documents are listed with each
question.
"""

import argparse
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from parallel_mcp.sandbox import SandboxOptions, prepare
from parallel_mcp.sandbox.documents import Document, gather
from parallel_mcp.sandbox.engine import Engine, Findings
from parallel_mcp.sandbox.fields import prose

HERE = Path(__file__).parent
TUNING = ("git", "sqlalchemy", "fastify", "apache", "borg", "celery", "nodejs", "postfix", "pytest", "rust", "scrapy")
REPORTED = ("postgresql", "django", "sqlite", "npm", "default")
BIG = ("postgresql", "django", "sqlite")  # over 2,000 pages together
SHOWN = 20  # answers in the appendix of docs/sandbox.md, six of them to questions about absent things
HEAD = f"{'':11}{'questions':>10}{'hit@1':>7}{'BM25':>6}{'hit@3':>7}{'BM25':>6}{'refused':>9}{'sure':>6}{'right':>7}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the documents that answer it (empty if nothing does), and what both methods found."""

    question: str
    expected: tuple[str, ...]
    found: Findings
    plain: tuple[str, ...]

    def hit(self, urls: Sequence[str]) -> bool:
        """Whether any of some URLs is a right one, ignoring suffixes."""
        return any(is_right(url, self.expected) for url in urls)

    @property
    def sure(self) -> bool:
        return bool(self.found.sources) and self.found.confidence != "low"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpora", type=Path, default=HERE / "corpora", help="where the packages are kept")
    parser.add_argument("--only", choices=[*TUNING, *REPORTED], help="one set of questions")
    parser.add_argument("--misses", action="store_true", help="also print what was missed on the tuning sets")
    parser.add_argument("--answers", action="store_true", help="print twenty answers of the default corpus instead")
    parser.add_argument("--index", action="store_true", help="measure how long a big folder takes to index instead")
    given = parser.parse_args()
    if given.answers:
        sys.stdout.write(answers())
        return
    if given.index:
        sys.stdout.write(index_times(given.corpora))
        return
    names = [given.only] if given.only else [*TUNING, *REPORTED]
    everything: list[Asked] = []
    print(HEAD)
    for name in names:
        asked = ask(name, given.corpora)
        print(row(name + (" (tuned)" if name in TUNING else ""), asked))
        if given.misses and name in TUNING:
            misses(asked)
        everything += [] if name in TUNING else asked
    if everything and not given.only:
        print(row("all but tuned", everything))
        print(confidences(everything))


def questions(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """The questions of a set, each with the documents that answer it."""
    lines = (HERE / "questions" / f"{name}.txt").read_text("utf-8").splitlines()
    pairs = [line.rpartition("|") for line in lines if "|" in line]
    return [(question.strip(), tuple(expected.split())) for question, _, expected in pairs]


def is_right(url: str, expected: Sequence[str]) -> bool:
    """Whether a URL is that of one of some documents, ignoring suffixes."""
    path = re.sub(r"\.\w+$", "", re.sub(r"^https://docs.*#", "/topic:", url))
    return any(path.endswith(f"/{name}") for name in expected)


def opened(name: str, corpora: Path) -> Engine:
    """The engine for the corpus of a set."""
    return prepare(SandboxOptions(corpus=(folder(name, corpora),) if name != "default" else ()))


def ask(name: str, corpora: Path) -> list[Asked]:
    folders = (folder(name, corpora),) if name != "default" else ()
    engine = opened(name, corpora)
    # The page that shows these figures repeats some of the questions, which plain BM25 would take for the answer.
    plain = Plain([document for document in gather(folders)[1] if not document.url.endswith("docs/sandbox.md")])
    return [
        Asked(question, expected, engine.search(question, "lite"), plain.search(question))
        for question, expected in questions(name)
    ]


class Plain:
    """Plain BM25 over whole documents."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE VIRTUAL TABLE plain USING fts5(title, body)")
        for number, document in enumerate(documents):
            title, passages = document.read()
            body = "\n".join(f"{each.heading}\n{each.prose}\n{each.code}" for each in passages)
            self._database.execute("INSERT INTO plain(rowid, title, body) VALUES (?, ?, ?)", (number, title, body))

    def search(self, question: str) -> tuple[str, ...]:
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        rows = self._database.execute("SELECT rowid FROM plain(?) ORDER BY bm25(plain) LIMIT 3", (words,))
        return tuple(self._documents[number].url for (number,) in rows)


def row(name: str, asked: Sequence[Asked]) -> str:
    """hit@1 and hit@3 with BM25's for comparison, refusals of absent things, and how much is sure and right."""
    answerable = [each for each in asked if each.expected]
    absent = [each for each in asked if not each.expected]
    sure = [each for each in answerable if each.sure]
    shares = [
        share(answerable, [each for each in answerable if each.hit((each.plain if plain else each.found.urls)[:depth])])
        for depth in (1, 3)
        for plain in (False, True)
    ]
    refused = f"{sum(not each.found.sources for each in absent)}/{len(absent)}"
    figures = f"{shares[0]:>7.2f}{shares[1]:>6.2f}{shares[2]:>7.2f}{shares[3]:>6.2f}{refused:>9}"
    right = share(sure, [each for each in sure if each.hit(each.found.urls[:3])])
    return f"{name:16}{len(answerable):>5}{figures}{share(answerable, sure):>6.2f}{right:>7.2f}"


def confidences(asked: Sequence[Asked]) -> str:
    """How often each confidence cites a right document."""
    lines = []
    for level in ("high", "medium", "low"):
        those = [each for each in asked if each.expected and each.found.sources and each.found.confidence == level]
        right = share(those, [each for each in those if each.hit(each.found.urls[:3])])
        lines.append(f"{level:7}{len(those):>4} answers, {right:.2f} right")
    return "\n".join(lines)


def share(whole: Sequence[Asked], part: Sequence[Asked]) -> float:
    return len(part) / max(1, len(whole))


def misses(asked: Sequence[Asked]) -> None:
    for each in asked:
        if each.expected and not each.hit(each.found.urls[:3]):
            print(f"  missed: {each.question}\n    {each.expected} but {[url[-40:] for url in each.found.urls]}")
        elif not each.expected and each.found.sources:
            print(f"  answered, though absent: {each.question}\n    {each.found.urls[0][-60:]}")


def answers() -> str:
    """Twenty answers from the default corpus, as Markdown."""
    engine = prepare(SandboxOptions())
    every = questions("default")
    absent = [question for question, expected in every if not expected][:6]
    answerable = [question for question, expected in every if expected]
    step = len(answerable) / (SHOWN - len(absent))
    chosen = [answerable[int(step * number)] for number in range(SHOWN - len(absent))] + absent
    parts = []
    for question in chosen:
        found = engine.search(question, "lite")
        said = prose(found).partition("\n\n")[0].partition(" This answer was put together")[0]
        source = f"\n({found.confidence}: {found.sources[0].title})" if found.sources else ""
        parts.append(f"**{question}**\n{said}{source}\n")
    return "\n".join(parts)


def index_times(corpora: Path) -> str:
    """How long the pages of BIG take to index, starting with an empty cache, and to open again from the cache."""
    options = SandboxOptions(corpus=tuple(folder(name, corpora) for name in BIG))
    parts = []
    with TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for when in ("first", "again"):
            began, used = time.perf_counter(), time.process_time()
            pages = prepare(options).index.documents
            took = f"{time.perf_counter() - began:.1f} s ({time.process_time() - used:.1f} s of one core)"
            parts.append(f"{pages} pages, {when}: {took}\n")
    return "".join(parts)


# The corpora


def folder(name: str, corpora: Path) -> Path:
    """The folder of a corpus, downloaded and unpacked if necessary."""
    kind, package, inside, _ = next(line for line in pins() if line[3] == name)
    target = corpora / name
    if not target.is_dir():
        target.mkdir(parents=True)
        fetch = {"deb": ["apt-get", "download", "-q", package], "npm": ["npm", "pack", "--silent", package]}[kind]
        subprocess.run(fetch, cwd=target, check=True, stdout=subprocess.DEVNULL)
        (archive,) = target.iterdir()
        if kind == "deb":
            subprocess.run(["dpkg-deb", "-x", archive, target], check=True)
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(target, filter="data")
        archive.unlink()
    return target / inside


def pins() -> list[list[str]]:
    lines = (HERE / "pins.txt").read_text("utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    main()
