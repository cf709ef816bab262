"""How much of a question a document contains, and what follows: its rank, and whether it answers at all.

Everything is counted in the question's own words, weighted by how rare each is in the corpus.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from math import exp, log10

from parallel_mcp.sandbox.index import CROWD, Hit, Index
from parallel_mcp.sandbox.reading import sentences

# The weights that rank a document (RANK) and, as log-odds, those that say whether it contains what a question is about
# (ABOUT) and whether it is the right one (EVIDENCE). Fitted on the tuning sets by `python -m benchmarks.fitting`.
RANK = {"passages": 5.59, "lead": 3.67, "whole": 3.14, "title": 3.37, "sentence": 1.58, "adjacent": 1.07}
ABOUT = {"words": 2.41, "missing": -0.14, "unknown": -0.16, "adjacent": 1.26, "lead": 1.25, "size": -0.67}
EVIDENCE = {"share": 2.08, "words": 1.33, "titled": 2.55, "adjacent": 0.92, "size": -1.25}
EARLIER = 5.0  # what the share of an earlier question adds to the rank for a follow-up
NAMED = 1 / 3  # the factor for each name in the question that no passage has
WORDS = 4  # more words of a question than this add nothing

NOWHERE = ""  # no passage contains this word
LONGEST = 64  # words of a question that are searched for

# A capitalised word that does not start a sentence, or one with capitals inside.
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z]\w*|\b\w*[a-z][A-Z]\w*|\b[A-Z]{2}\w*")
_ADDRESS = re.compile(r"\w+://\S+")
_CAPITAL = re.compile(r"\b\w*[A-Z]\w*")

# English words that are in every text and the subject of none: articles, pronouns, prepositions,
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
class Asked:
    """A question's words: as written, stemmed with their rarity, and which of them are names."""

    words: tuple[str, ...]
    rarity: Mapping[str, float]
    names: frozenset[str]
    unknown: float
    pairs: frozenset[tuple[str, str]]

    @property
    def whole(self) -> float:
        """The total weight of the question's words."""
        return sum(self.rarity.values()) or 1.0

    def share(self, stems: Iterable[str]) -> float:
        """The share of the question among some words, from 0 to 1."""
        return sum(self.rarity[stem] for stem in self.rarity.keys() & set(stems)) / self.whole

    def adjacent(self, texts: Iterable[Sequence[str]]) -> float:
        """The share of the question whose words are side by side in any of some texts, as in the question."""
        held = self.pairs.intersection(pair for text in texts for pair in pairwise(text))
        return sum(self.rarity[one] + self.rarity[other] for one, other in held) / self.whole


Held = frozenset[str]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Quotable sentences, the question's words in each, and the heading above them."""

    above: Held
    said: tuple[tuple[str, Held], ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A document that may answer: the features for RANK and EVIDENCE, and paragraphs to quote, in order."""

    asked: Asked
    url: str
    title: str
    features: Mapping[str, float]
    paragraphs: tuple[Paragraph, ...]
    related: float = 0.0

    @property
    def rank(self) -> float:
        """Higher is better."""
        return self.related + sum(weight * self.features[name] for name, weight in RANK.items())

    @property
    def about(self) -> float:
        """How likely it contains what the question is about, from 0 to 1."""
        return self._chance(ABOUT)

    @property
    def evidence(self) -> float:
        """How likely it is the right document, from 0 to 1."""
        return self._chance(EVIDENCE)

    def _chance(self, weights: Mapping[str, float]) -> float:
        return 1 / (1 + exp(-sum(weight * self.features[name] for name, weight in weights.items())))


def read(question: str, index: Index) -> Asked:
    """The words of a question that are searched for."""
    every = index.words.both(question[:20_000])
    told = [(word, stem) for word, stem in every if word not in GRAMMAR]
    kept = list(dict.fromkeys(told))[:LONGEST]
    rarity = {stem: index.rarity(stem) for _, stem in kept}
    pairs = frozenset(pair for pair in pairwise(stem for _, stem in told) if rarity.keys() >= set(pair))
    capital = {part.lower() for part in _NAME.findall(question)}
    names = frozenset(stem for word, stem in kept if word in capital or word in index.names)
    unknown = sum(each for each in rarity.values() if each == index.rarity(NOWHERE))
    return Asked(tuple(dict.fromkeys(word for word, _ in kept)), rarity, names, unknown, pairs)


def weigh(asked: Asked, hits: Sequence[Hit], index: Index, before: Asked | None = None) -> list[Weighed]:
    """The documents of some passages, best first. `before` is the question that this one follows up on."""
    parts = [_Part.of(hit) for hit in hits]
    # Words are read in one go and each text once, because that takes most of the time.
    texts = list(dict.fromkeys(text for part in parts for text in part.texts()))
    stems = dict(zip(texts, index.words.stems([_ADDRESS.sub(" ", text) for text in texts]), strict=True))
    grouped: dict[str, list[_Part]] = {}
    for part in parts:
        grouped.setdefault(part.hit.url, []).append(part)
    most = max((sum(part.hit.weight for part in group) for group in grouped.values()), default=1.0)
    found = [_weighed(asked, group, stems, most, index.passages, before) for group in grouped.values()]
    return sorted(found, key=lambda each: -each.rank)


Stems = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A passage, its capitalised words, and its sentences by paragraph."""

    hit: Hit
    capitals: str
    paragraphs: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, hit: Hit) -> "_Part":
        capitals = " ".join(_CAPITAL.findall(_ADDRESS.sub(" ", f"{hit.title} {hit.heading} {hit.prose}")))
        return cls(hit, capitals, tuple(filter(None, map(sentences, hit.prose.split("\n\n")))))

    def texts(self) -> Iterator[str]:
        yield from (self.hit.title, self.hit.lead, self.hit.heading, self.hit.prose, self.capitals)
        yield from chain(*self.paragraphs)

    def above(self, stems: Stems) -> set[str]:
        return {*stems[self.hit.title], *stems[self.hit.heading]}

    def whole(self, stems: Stems) -> set[str]:
        return {*self.above(stems), *stems[self.hit.prose]}


def _weighed(
    asked: Asked, parts: Sequence[_Part], stems: Stems, most: float, passages: int, before: Asked | None
) -> Weighed:
    first = parts[0].hit
    title = stems[first.title]
    wholes = [part.whole(stems) for part in parts]
    missed = min(len(asked.names.difference(stems[part.capitals], part.above(stems))) for part in parts)
    left = NAMED**missed
    runs = [[stems[text] for text in (first.title, part.hit.heading, part.hit.prose)] for part in parts]
    features = {
        "passages": sum(part.hit.weight for part in parts) / most,
        "whole": first.whole / asked.whole,
        "lead": asked.share({*title, *stems[first.lead]}),
        "title": len(asked.rarity.keys() & set(title)) / max(1, len(title)),
        "sentence": max((asked.share(stems[said]) for part in parts for said in chain(*part.paragraphs)), default=0.0),
        "adjacent": left * max(map(asked.adjacent, runs)),
        "share": left * max(map(asked.share, wholes)),
        "titled": left * asked.share(title),
        "words": left * sum(min(WORDS, len(asked.rarity.keys() & whole)) for whole in wholes) / len(wholes),
        "missing": asked.whole * (1 - max(map(asked.share, wholes))),
        "unknown": asked.unknown,
        "size": log10(max(CROWD, passages)),
    }
    related = EARLIER * max(map(before.share, wholes)) if before else 0.0
    held = {text: frozenset(asked.rarity.keys() & set(words)) for text, words in stems.items()}
    paragraphs = tuple(
        Paragraph(held[part.hit.heading], tuple((said, held[said]) for said in paragraph))
        for part in sorted(parts, key=lambda part: part.hit.number)
        for paragraph in part.paragraphs
    )
    return Weighed(asked, first.url, first.title, features, paragraphs, related)
