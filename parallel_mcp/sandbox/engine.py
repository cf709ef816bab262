"""What a corpus says on a question: a few sentences out of it with the documents that they stand in, or nothing.

An answer is given only where a passage holds what the question is about. How surely it does is the evidence: the share
of the question's words, each by how rare it is, that stand in the passage, in one sentence of it, and side by side.
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
"""How many documents a model cites at most; all of them rank alike."""

CANDIDATES = 25  # documents that are looked at closely
# An answer is given where what is asked about is held with a chance of FOUND or more. With the evidence, confidence is
# medium from FAIR and high from SURE; a further document is cited from RELATED. Chosen on the tuning sets, by
# `python -m benchmarks.fitting`.
FOUND, FAIR, SURE, RELATED = 0.68, 0.62, 0.74, 0.2
MOST = 0.6  # of a question

# How a sentence begins that cannot be read without the one before it.
_POINTS = re.compile(
    r"(this|that|these|those|such|it|they|he|she|here|there|then|thus|so|but|and|or|also|otherwise)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document that an answer cites. `excerpts` stand in it to the character."""

    url: str
    title: str
    excerpts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search brought: the sources, best first (none: not found), how sure, and why."""

    sources: tuple[Source, ...]
    confidence: Confidence
    reasoning: str
    evidence: float

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of what is cited."""
        return tuple(source.url for source in self.sources)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was asked before: the question, and the addresses of the documents that it was answered from."""

    question: str
    urls: tuple[str, ...]


class Engine:
    """Searches one corpus. Holds nothing between questions; safe to use from several threads."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def search(self, question: str, model: Model, earlier: Earlier | None = None) -> Findings:
        """What the corpus says on a question. A follow-up is answered from the earlier answer's documents only."""
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
        """The documents that have something to quote on a question, best first."""
        asked = read(question, self.index)
        hits = self.index.search(asked.words, CANDIDATES, earlier.urls if earlier else ())
        before = read(earlier.question, self.index) if earlier else None
        return [each for each in weigh(asked, hits, self.index, before) if each.paragraphs]

    def statements(self, words: str, urls: Sequence[str]) -> list[tuple[str, Source]]:
        """The sentences of some documents that are nearest to some words, each with the document it stands in."""
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
    """Up to so many sentences that follow one another, and together hold most of the question.

    Of equals the first in the text, for there a thing is said to be what it is, and not one that points at what stands
    before it. A sentence that is alone is followed by another one that holds most of the question.
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
    """The sources without those that only repeat what an earlier one says."""
    found: dict[tuple[str, ...], Source] = {}
    for source in sources:
        found.setdefault(tuple(map(plain, source.excerpts[:1])), source)
    return list(found.values())
