"""What a corpus says on a question: a few sentences out of it with the documents that they stand in, or nothing.

An answer is given only where a passage holds what the question is about. How surely it does is the evidence: the share
of the question's words, each by how rare it is, that stand in the passage, in one sentence of it, and side by side.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10
from typing import Literal

from parallel_mcp.sandbox.index import CROWD, Hit, Index
from parallel_mcp.sandbox.reading import plain, sentences

Model = Literal["speed", "lite", "base", "core"]
Confidence = Literal["low", "medium", "high"]

NOTICE = "This answer was put together by the sandbox from documents on this machine, not from the web."

CITED: Mapping[Model, int] = {"speed": 3, "lite": 3, "base": 4, "core": 6}
"""How many documents a model cites at most; all of them rank alike."""

# The constants from here to NAMED were chosen on the tuning sets of benchmarks/retrieval.py; docs/sandbox.md says how
# they do on the others.
CANDIDATES = 25  # documents that are looked at closely
ABOVE = 0.3  # what the share of a question that stands in title and heading adds to a passage's rank
EARLIER = 0.3  # what the share of an earlier question adds where a follow-up is asked
# What evidence is made of: the share of the question in the passage, in its best sentence, side by side, and in title
# and heading; and how many of its words are held, for four together say more than one alone.
HELD, TOGETHER, ADJACENT, HEADED, EACH_WORD, WORDS = 0.25, 0.375, 0.125, 0.075, 0.075, 4
NAMED = 0.5  # what is left of the evidence for each name in the question that the passage does not hold
UNTOLD = 0.8  # what is left of it where the question's rarest word is not held
# Below FOUND a question is said to be not found, from FAIR confidence is medium, from SURE high: in a corpus of 10,000
# passages. Ten times as many hold any words together by chance more often, and have to show LARGER more.
FOUND, FAIR, SURE, LARGER = 0.5, 0.6, 0.72, 0.1
RELATED = 0.3  # a further document is cited from this evidence

LONGEST = 64  # words of a question that are looked for

# A capitalised word that does not begin a sentence, or one with capitals inside.
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z]\w*|\b\w*[a-z][A-Z]\w*|\b[A-Z]{2}\w*")
_ADDRESS = re.compile(r"\w+://\S+")
_CAPITAL = re.compile(r"\b\w*[A-Z]\w*")

# The words of English that are in every text and in the subject of none: articles, pronouns, prepositions,
# conjunctions, auxiliaries and question words (what happens, how do I get).
_GRAMMAR = """
a about after all also am an and any are as at be because been before being between both but by can could did do does
doing during each else ever every for from get gets had happen happens has have having he her here him his how i if in
into is it its itself like may me might more most much must my need no nor not of off on one only onto or other our
out over own s shall she should so some such t than that the their them then there these they this those through to
too under until up upon us use used using very want was way we were what when where whether which while who whom whose
why will with would you your
"""
GRAMMAR = frozenset(_GRAMMAR.split())


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's words: as written, stemmed with how rare each is, and which of them are names."""

    words: tuple[str, ...]
    rarity: Mapping[str, float]
    names: frozenset[str]
    pairs: frozenset[tuple[str, str]]

    @property
    def whole(self) -> float:
        return sum(self.rarity.values()) or 1.0

    @property
    def rarest(self) -> str:
        return max(self.rarity, key=self.rarity.__getitem__)

    def share(self, stems: Iterable[str]) -> float:
        """How much of the question stands among some words, from 0 to 1."""
        return sum(self.rarity[stem] for stem in self.rarity.keys() & set(stems)) / self.whole

    def adjacent(self, texts: Iterable[Sequence[str]]) -> float:
        """How much of the question stands side by side in any of some texts as it does in the question."""
        held = self.pairs.intersection(pair for text in texts for pair in pairwise(text))
        return sum(self.rarity[one] + self.rarity[other] for one, other in held) / self.whole


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A passage with its rank, its evidence, and its quotable sentences with the share that each holds."""

    hit: Hit
    rank: float
    evidence: float
    sentences: tuple[tuple[str, float], ...]


class Engine:
    """Searches one corpus. Holds nothing between questions; safe to use from several threads."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._more = LARGER * log10(max(CROWD, index.passages) / 10_000)

    def search(self, question: str, model: Model, earlier: Earlier | None = None) -> Findings:
        """What the corpus says on a question. A follow-up is answered from the earlier answer's documents only."""
        if earlier and not earlier.urls:
            question, earlier = f"{earlier.question} {question}", None
        asked = self._asked(question)
        if not asked.words:
            return self._nothing("The question has no word to search for.", earlier)
        ranked = self._ranked(asked, earlier)
        found = [each for each in ranked if each.evidence >= FOUND + self._more]
        if not found:
            return self._nothing("No passage holds enough of what the question is about.", earlier)
        best = found[0]
        further = [each for each in ranked if each is not best and each.evidence >= RELATED]
        quoted = [(best, _window(best.sentences)), *((each, _best(each.sentences)) for each in further)]
        sources = [Source(each.hit.url, each.hit.title, said) for each, said in quoted]
        return self._found(asked, best, _distinct(sources)[: CITED[model]])

    def statements(self, words: str, urls: Sequence[str]) -> list[tuple[str, Source]]:
        """The sentences of some documents that are nearest to some words, each with the document it stands in."""
        hits = self.index.search(self._asked(words).words, len(urls), urls)
        return [(said, Source(hit.url, hit.title, (said,))) for hit in hits for said in sentences(hit.prose)]

    def _asked(self, question: str) -> _Asked:
        every = self.index.words.both(question[:20_000])
        told = [(word, stem) for word, stem in every if word not in GRAMMAR]
        kept = list(dict.fromkeys(told))[:LONGEST]
        rarity = {stem: self.index.rarity(stem) for _, stem in kept}
        pairs = frozenset(pair for pair in pairwise(stem for _, stem in told) if rarity.keys() >= set(pair))
        capital = {part.lower() for part in _NAME.findall(question)}
        names = frozenset(stem for word, stem in kept if word in capital or word in self.index.names)
        return _Asked(tuple(dict.fromkeys(word for word, _ in kept)), rarity, names, pairs)

    def _ranked(self, asked: _Asked, earlier: Earlier | None) -> list[_Weighed]:
        """The best passage of each document that has something to quote, best first."""
        hits = self.index.search(asked.words, CANDIDATES, earlier.urls if earlier else ())
        before = self._asked(earlier.question) if earlier else None
        said = [sentences(hit.prose) for hit in hits]
        texts = [text for hit, each in zip(hits, said, strict=True) for text in (*_texts(hit), *map(_said, each))]
        stems = iter(self.index.words.stems(texts))
        best: dict[str, _Weighed] = {}
        for hit, each in zip(hits, said, strict=True):
            weighed = _weigh(hit, each, [next(stems) for _ in range(4 + len(each))], asked, before)
            if each and (hit.url not in best or weighed.rank > best[hit.url].rank):
                best[hit.url] = weighed
        return sorted(best.values(), key=lambda each: -each.rank)

    def _found(self, asked: _Asked, best: _Weighed, sources: Sequence[Source]) -> Findings:
        shown = best.evidence - self._more
        confidence: Confidence = "high" if shown >= SURE else "medium" if shown >= FAIR else "low"
        held = round(100 * min(1.0, best.evidence))
        reasoning = (
            f"The passage quoted from {best.hit.title!r} holds {held} % of what the question's words tell, by how rare "
            f"they are in {self.index.said}. {NOTICE}"
        )
        return Findings(tuple(sources), confidence, reasoning, best.evidence)

    def _nothing(self, why: str, earlier: Earlier | None) -> Findings:
        where = (
            "the documents of the earlier answer"
            if earlier
            else f"{self.index.said} ({self.index.documents} documents)"
        )
        return Findings((), "low", f"{why} Searched: {where}. {NOTICE}", 0.0)


def _texts(hit: Hit) -> tuple[str, ...]:
    """Title, heading and prose of a passage, and the capitalised words in them."""
    texts = (hit.title, hit.heading, _said(hit.prose))
    return (*texts, " ".join(word for text in texts for word in _CAPITAL.findall(text)))


def _said(text: str) -> str:
    """A text without the addresses in it, whose parts are not said of anything."""
    return _ADDRESS.sub(" ", text)


def _weigh(
    hit: Hit, said: Sequence[str], stems: Sequence[Sequence[str]], asked: _Asked, before: _Asked | None
) -> _Weighed:
    """A passage's rank and evidence. `stems` are those of `_texts` and of each sentence."""
    title, heading, prose, capitals, *each = stems
    above = {*title, *heading}
    whole = {*above, *prose}
    headed = asked.share(above)
    evidence = (
        HELD * asked.share(whole)
        + TOGETHER * max((asked.share({*above, *words}) for words in each), default=0.0)
        + ADJACENT * asked.adjacent((title, heading, prose))
        + HEADED * headed
        + EACH_WORD * min(len(asked.rarity.keys() & whole), WORDS)
    ) * NAMED ** len(asked.names.difference(capitals, above))
    if asked.rarest not in whole:
        evidence *= UNTOLD
    rank = hit.weight / asked.whole + evidence + ABOVE * headed + (EARLIER * before.share(whole) if before else 0.0)
    return _Weighed(hit, rank, evidence, tuple(zip(said, map(asked.share, each), strict=True)))


def _best(said: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    return (max(said, key=lambda each: each[1])[0],)


def _window(said: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """The sentence that holds most of the question, with what follows it, or else what leads up to it."""
    at = max(range(len(said)), key=lambda place: said[place][1])
    start = max(0, min(at, len(said) - 2))
    return tuple(sentence for sentence, _ in said[start : start + 3])


def _distinct(sources: Iterable[Source]) -> list[Source]:
    """The sources without those that only repeat what an earlier one says."""
    found: dict[tuple[str, ...], Source] = {}
    for source in sources:
        found.setdefault(tuple(map(plain, source.excerpts[:1])), source)
    return list(found.values())
