"""Finds what a corpus says about a question: a few sentences with the documents that contain them, or nothing.

There is an answer only if a passage contains what the question is about. The evidence is how certain that is: the share
of the question's words, weighted by rarity, that occur in the passage, in one of its sentences, and side by side.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from parallel_mcp.sandbox.evidence import Held, Weighed, read, weigh
from parallel_mcp.sandbox.index import Index
from parallel_mcp.sandbox.reading import plain, sentences

Model = Literal["speed", "lite", "base", "core"]
Confidence = Literal["low", "medium", "high"]

NOTICE = "This answer was put together by the sandbox from documents on this machine, not from the web."

CITED: Mapping[Model, int] = {"speed": 3, "lite": 3, "base": 4, "core": 6}
"""The maximum number of documents that a model cites. All models rank alike."""

CANDIDATES = 25  # documents that are examined closely
# There is an answer if the subject of the question is there with a probability of at least FOUND. By the evidence,
# confidence is medium from FAIR and high from SURE, and further documents are cited from RELATED. Chosen on the tuning
# sets by `python -m benchmarks.fitting`.
FOUND, FAIR, SURE, RELATED = 0.68, 0.62, 0.74, 0.2
MOST = 0.6  # of a question

# The start of a sentence that cannot be understood without the one before it.
_POINTS = re.compile(
    r"(this|that|these|those|such|it|they|he|she|here|there|then|thus|so|but|and|or|also|otherwise)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document that an answer cites. `excerpts` are verbatim."""

    url: str
    title: str
    excerpts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a search: the sources, best first (empty if not found), the confidence and its reason."""

    sources: tuple[Source, ...]
    confidence: Confidence
    reasoning: str
    evidence: float

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the cited documents."""
        return tuple(source.url for source in self.sources)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier question, and the URLs of the documents that it was answered from."""

    question: str
    urls: tuple[str, ...]


class Engine:
    """Searches one corpus. Keeps no state between questions, and is safe to use from several threads."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def search(self, question: str, model: Model, earlier: Earlier | None = None) -> Findings:
        """Search for a question. A follow-up is answered only from the earlier answer's documents."""
        if earlier and not earlier.urls:
            question, earlier = f"{earlier.question} {question}", None
        ranked = self.weighed(question, earlier)
        if not ranked or ranked[0].about < FOUND:
            return self._nothing(earlier)
        best, *others = ranked
        further = [each for each in others if each.evidence >= RELATED]
        quoted = [(best, _answer(best)), *((each, _answer(each, 1)) for each in further)]
        sources = _distinct(Source(each.url, each.title, said) for each, said in quoted)
        return self._found(best, sources[: CITED[model]])

    def weighed(self, question: str, earlier: Earlier | None = None) -> list[Weighed]:
        """The documents that have something to quote about a question, best first."""
        asked = read(question, self.index)
        hits = self.index.search(asked.words, CANDIDATES, earlier.urls if earlier else ())
        before = read(earlier.question, self.index) if earlier else None
        return [each for each in weigh(asked, hits, self.index, before) if each.paragraphs]

    def statements(self, words: str, urls: Sequence[str]) -> list[tuple[str, Source]]:
        """The sentences of some documents that are closest to some words, each with its document."""
        hits = self.index.search(read(words, self.index).words, len(urls), urls)
        return [(said, Source(hit.url, hit.title, (said,))) for hit in hits for said in sentences(hit.prose)]

    def _found(self, best: Weighed, sources: Sequence[Source]) -> Findings:
        confidence: Confidence = "high" if best.evidence >= SURE else "medium" if best.evidence >= FAIR else "low"
        held = round(100 * best.features["share"])
        reasoning = (
            f"The passages of {best.title!r} hold {held} % of the question's words, counted by how rare each is "
            f"in {self.index.said}. {NOTICE}"
        )
        return Findings(tuple(sources), confidence, reasoning, best.evidence)

    def _nothing(self, earlier: Earlier | None) -> Findings:
        where = (
            "the documents of the earlier answer"
            if earlier
            else f"{self.index.said} ({self.index.documents} documents)"
        )
        why = "No passage holds enough of what the question is about."
        return Findings((), "low", f"{why} Searched: {where}. {NOTICE}", 0.0)


def _answer(found: Weighed, most: int = 3) -> tuple[str, ...]:
    """Up to this many consecutive sentences that together contain most of the question.

    Of equals the first in the text, because that is where things are defined, and not one that refers to what comes
    before it. A single sentence is followed by another one that contains most of the question.
    """
    share = found.asked.share
    every = [
        (part.above, part.said[start : start + most])
        for part in found.paragraphs
        for start in range(max(1, len(part.said) - most + 1))
    ]

    def worth(above: Held, run: Sequence[tuple[str, Held]]) -> tuple[float, float, bool]:
        held = frozenset().union(*(each for _, each in run))
        return share(above | held), share(held), not _POINTS.match(run[0][0])

    _, best = max(every, key=lambda each: worth(*each))
    if len(best) == 1 < most:
        alone = best[0][0]
        others = [(said, share(part.above | held)) for part in found.paragraphs for said, held in part.said]
        more = [each for each in others if each[0] != alone and each[1] >= MOST]
        return (alone, *(said for said, _ in sorted(more, key=lambda each: -each[1])[:1]))
    return tuple(said for said, _ in best)


def _distinct(sources: Iterable[Source]) -> list[Source]:
    """The sources, without those that only repeat an earlier one."""
    found: dict[tuple[str, ...], Source] = {}
    for source in sources:
        found.setdefault(tuple(map(plain, source.excerpts[:1])), source)
    return list(found.values())
