"""Answers from a corpus: which documents and sentences bear on a question, and how surely.

Nothing here writes prose of its own about the world: an answer is sentences drawn verbatim from documents, each with
the number of its citation, or the plain words that nothing was found. How wide a model looks is one row of `EFFORTS`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from parallel_mcp.sandbox.corpus import Corpus, Document, Found, Level
from parallel_mcp.sandbox.prose import is_whole
from parallel_mcp.sandbox.words import joined_words, names, synonyms, term, terms

Model = Literal["speed", "lite", "base", "core"]
Confidence = Literal["low", "medium", "high"]

NOTICE = "This answer was put together by the sandbox from documents on this machine, not from the web."
NOT_FOUND = "Not found in the local documents: nothing on this machine answers this question."


@dataclass(frozen=True, slots=True)
class Effort:
    """How wide a model looks: all rank the same documents, and go down the ranking as far as this."""

    documents: int  # at most so many are cited
    sentences: int  # at most so many are quoted
    nearness: float  # a document is cited whose score is at least this share of the best one's


EFFORTS: Mapping[Model, Effort] = {
    "speed": Effort(documents=3, sentences=3, nearness=0.65),
    "lite": Effort(documents=3, sentences=4, nearness=0.6),
    "base": Effort(documents=4, sentences=6, nearness=0.55),
    "core": Effort(documents=6, sentences=9, nearness=0.5),
}

# What a document's best passage adds to its weight: little, for what a document is about comes first. One that has
# (nearly) every word of the question counts double, so that one sentence of a long manual is enough.
RANKING = 0.05
# What a word finds that stands for one of the question, as a share of what it would find itself.
SYNONYM = 0.3
# Below this much evidence a question is said to be not found. Chosen so that of the absent questions in view nearly all
# are said to be.
FOUND = 0.55
# How much of the evidence is left for each proper name that the best document does not hold, or only in passing (less
# than this share of what the word tells), and for each word that is in no document.
FOREIGN = 0.4
IN_PASSING = 0.1
STRANGE = 0.7
# How sure one passage makes of an answer that has every word of the question.
TOGETHER = 0.8
# How much a long question is marked down: at 1 every word of it would have to be met.
LENGTH = 0.6
# From this much evidence an answer is somewhat and, where two sources agree, very sure.
FAIR = 0.75
SURE = 0.9
# What a document's first sentence is worth more than it says of the question: about half of a rare word.
FIRST = 2.0


@dataclass(frozen=True, slots=True)
class Source:
    """A document that an answer cites, and what is quoted from it: `excerpts` stand in its text to the character."""

    document: Document
    excerpts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search brought: the sources, best first (none: not found), how sure, and why these."""

    sources: tuple[Source, ...]
    confidence: Confidence
    reasoning: str
    evidence: float  # how surely the corpus speaks of the question, from 0 to about 1


class Engine:
    """Searches one corpus. Holds no state of its own between questions; safe to use from several threads."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.search = lru_cache(maxsize=512)(self._search)

    def _search(self, question: str, model: Model, context: tuple[str, ...] = (), focus: str = "") -> Findings:
        """What the corpus says on a question.

        `context` is what was asked before, for questions that lean on it; `focus` narrows the search to one field.
        """
        effort = EFFORTS[model]
        context = context if _leans(question) else ()
        asked = self.asked(question, context, focus)
        if not asked:
            return _nothing("The question has no word to search for.")
        ranked = sorted(self._weighed(asked).items(), key=lambda each: -each[1])
        evidence = self.evidence(question, context)
        if not ranked or evidence < FOUND:
            return _nothing("The local documents do not speak of enough of what the question names.")
        least = effort.nearness * ranked[0][1]
        kept = {number: score for number, score in ranked[: effort.documents] if score >= least}
        return self._findings(asked, self._quote(asked, kept, effort), evidence)

    def asked(self, question: str, context: Sequence[str] = (), focus: str = "") -> dict[str, float]:
        """The telling terms of a question with their weights, its own before those that it leans on."""
        found: dict[str, float] = {}
        leaning = 0.4 if len(terms(question)) > 2 else 1.2
        for text, weight in [(question, 1.0), (focus, 0.7), *((each, leaning) for each in context)]:
            joined = {term(word) for word in joined_words(text)}
            for one in terms(text):
                # A hyphenated word is in its parts too.
                if one not in found and not (one in joined and not self.corpus.known(one)):
                    found[one] = weight
        return found

    def _weighed(self, asked: Mapping[str, float]) -> dict[int, float]:
        """The weight of each document, with a share of its best passage's."""
        total = self._scores("documents", asked)
        together = self._together(asked)
        best: dict[int, float] = {}
        for number, weighs in self._scores("passages", asked).items():
            passage = self.corpus.passages[number]
            weighs *= (0.4 if passage.history else 1.0) * (0.8 if passage.elsewhere else 1.0)
            weighs *= RANKING * (1.0 + together.get(number, 0.0) ** 8)
            best[passage.document] = max(best.get(passage.document, 0.0), weighs)
        for document, weighs in best.items():
            total[document] = total.get(document, 0.0) + weighs
        return total

    def _together(self, asked: Mapping[str, float]) -> dict[int, float]:
        """How much of what the terms tell stands together in each passage, as it was asked: from 0 to 1."""
        said: dict[int, float] = {}
        whole = sum(self.corpus.rarity(one) * weight for one, weight in asked.items()) or 1.0
        for one, weight in asked.items():
            for number in self.corpus.weights("passages", one):
                said[number] = said.get(number, 0.0) + self.corpus.rarity(one) * weight / whole
        return said

    def _scores(self, level: Level, asked: Mapping[str, float]) -> dict[int, float]:
        """The weight of each document or passage that has any of the terms."""
        total: dict[int, float] = {}
        for one, weight in asked.items():
            for number, weighs in self._weights(level, one, asked).items():
                total[number] = total.get(number, 0.0) + weighs * weight
        return total

    def _weights(self, level: Level, one: str, asked: Mapping[str, float]) -> Mapping[int, float]:
        """The weight of a term, or of what stands for it and was not itself asked, wherever it is found."""
        weights = dict(self.corpus.weights(level, one))
        for other in synonyms().get(one, frozenset()) - asked.keys():
            for number, weighs in self.corpus.weights(level, other).items():
                weights[number] = max(weights.get(number, 0.0), SYNONYM * weighs)
        return weights

    def evidence(self, question: str, context: Sequence[str] = ()) -> float:
        """How surely the corpus speaks of a question at all, from 0 to about 1, whichever model asks.

        What the best document weighs, for the question's length. Words that are in no document count against it,
        and more so what the question names (`Kafka`, `World Cup`) where that document does not have it.
        """
        asked = self.asked(question, context)
        ranked = self._weighed(asked)
        if not ranked:
            return 0.0
        best = max(ranked, key=ranked.__getitem__)
        unknown = {part for name in self._unknown_names(question) for part in terms(name)}
        named = names(question)
        held = whole = 0.0
        trust = 1.0
        for one, weight in asked.items():
            tells = self.corpus.rarity(one)
            weighs = self._weights("documents", one, asked).get(best, 0.0)
            if one in unknown or (one in named and weighs < IN_PASSING * tells):
                trust *= FOREIGN
            elif self.corpus.known(one):
                held += weighs * weight
                whole += tells * weight
            else:
                trust *= STRANGE
        if not held:
            return 0.0
        together = self._together(asked)
        gathered = max((together.get(each.number, 0.0) for each in self.corpus.passages_of(best)), default=0.0)
        return float(trust * max(held / whole**LENGTH, TOGETHER * gathered))

    def _unknown_names(self, question: str) -> list[str]:
        """Names of several words, such as `World Cup`, that stand in no document as they are written."""
        return [match[0] for match in _LONG_NAME.finditer(question) if not self.corpus.has_phrase(match[0])]

    def _quote(self, asked: Mapping[str, float], kept: Mapping[int, float], effort: Effort) -> tuple[Source, ...]:
        """The sentences to quote from each document: most from the first, at least one from each other."""
        weights = self._scores("passages", asked)
        left = effort.sentences
        sources = []
        for place, number in enumerate(kept):
            share = min(max(1, left - (len(kept) - place - 1)), 3 if place == 0 else 2)
            if excerpts := self._sentences(number, weights, asked, share):
                left -= len(excerpts)
                sources.append(Source(self.corpus.documents[number], excerpts))
        return tuple(sources)

    def _sentences(
        self, number: int, weights: Mapping[int, float], asked: Mapping[str, float], limit: int
    ) -> tuple[str, ...]:
        """The sentences of a document that say most of what was asked, in the order in which they stand.

        What it says first has a start, and is all that there is where the question used other words.
        """
        document = self.corpus.documents[number]
        first = self._first(number)
        scored: list[tuple[float, int, str]] = []
        for place, passage in enumerate(self._best_passages(number, weights)):
            for start, end in passage.spans:
                said = document.text[start:end]
                if is_whole(said):
                    worth = self._worth(said, asked) * (1.0 - 0.1 * place) * (0.5 if passage.history else 1.0)
                    worth += FIRST if start == first else 0.0
                    scored.append((worth, start, said))
        if not scored:
            return _summary(document)
        best = sorted(scored, key=lambda each: (-each[0], each[1]))
        top = best[0][0]
        chosen = [each for each in best[: limit if top else 1] if each[0] >= 0.6 * top]
        return tuple(dict.fromkeys(said for _, _, said in sorted(chosen, key=lambda each: each[1])))

    def _first(self, number: int) -> int:
        """Where a document's first whole sentence begins: it says what the rest is about."""
        text = self.corpus.documents[number].text
        spans = (span for passage in self.corpus.passages_of(number)[:3] for span in passage.spans)
        return next((start for start, end in spans if is_whole(text[start:end])), -1)

    def _best_passages(self, number: int, weights: Mapping[int, float]) -> list[Found]:
        """The four passages of a document that weigh most, and its first three."""
        own = [passage for passage in self.corpus.passages_of(number) if not passage.elsewhere]
        own = own or list(self.corpus.passages_of(number))
        best = sorted(own, key=lambda each: (-weights.get(each.number, 0.0), each.history, each.number))[:4]
        return [*best, *(each for each in own[:3] if each not in best)]

    def _worth(self, sentence: str, asked: Mapping[str, float]) -> float:
        said = set(terms(sentence))
        worth = sum(self.corpus.rarity(one) * weight for one, weight in asked.items() if one in said)
        return worth / (1.0 + len(sentence) / 500)

    def _findings(self, asked: Mapping[str, float], sources: tuple[Source, ...], evidence: float) -> Findings:
        if not sources:
            return _nothing("The documents that matched have no sentence fit to be quoted.")
        quoted = set(terms(" ".join(excerpt for source in sources for excerpt in source.excerpts)))
        agree = sum(_agrees(source, asked) for source in sources)
        confidence: Confidence = "low"
        if evidence >= SURE and agree >= 2:
            confidence = "high"
        elif evidence >= FAIR:
            confidence = "medium"
        reasoning = (
            f"The quoted sentences speak of {len(quoted & asked.keys())} of the question's {len(asked)} telling words; "
            f"the closest is {sources[0].document.title!r}, and {agree} of {len(sources)} bear on over half of them. "
            f"{NOTICE}"
        )
        return Findings(sources, confidence, reasoning, evidence)


def _agrees(source: Source, asked: Mapping[str, float]) -> bool:
    document = source.document
    said = set(terms(f"{document.title} {document.about} {document.everyday} {' '.join(source.excerpts)}"))
    return 2 * len(said & asked.keys()) > len(asked)


def _summary(document: Document) -> tuple[str, ...]:
    return (document.summary,) if document.summary and document.summary in document.text else ()


# Two capitalised words or more in a row, not at the start of a sentence and not all in capitals.
_LONG_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][a-z]\w*(?:['’]s?)?(?: [A-Z][a-z]\w*(?:['’]s?)?)+")
_LEANING = re.compile(
    r"\b(?:it|its|that|this|these|those|they|them|their|he|she|one|ones|there|same|former|latter|more)\b", re.IGNORECASE
)


def _leans(question: str) -> bool:
    """Whether a question needs what was asked before it: it points back, or says hardly anything by itself."""
    return bool(_LEANING.search(question)) or len(terms(question)) < 3


def _nothing(why: str) -> Findings:
    return Findings((), "low", f"{why} {NOTICE}", 0.0)


def prose_answer(findings: Findings, *, listed: bool) -> str:
    """The answer as text, each sentence with its citation's number. `listed` adds the sources, where no basis does."""
    if not findings.sources:
        return f"{NOT_FOUND} {NOTICE}"
    said = [
        f"{one_line(excerpt)} [{number}]"
        for number, source in enumerate(findings.sources, 1)
        for excerpt in source.excerpts
    ]
    parts = [" ".join(said)]
    if listed:
        rows = [
            f"[{number}] {source.document.title}: {source.document.url}"
            for number, source in enumerate(findings.sources, 1)
        ]
        parts.append("\n".join(["Sources:", *rows]))
    return "\n\n".join([*parts, NOTICE])


def one_line(excerpt: str) -> str:
    """An excerpt without its line breaks, for running text."""
    return " ".join(excerpt.split())
