"""Fits the weights in `parallel_mcp.sandbox.evidence` and the bounds in `engine`, on the tuning sets alone.

Run as `python -m benchmarks.fitting [--corpora FOLDER]`. Prints the weights, the bounds, and how both do on each tuning
set when fitted on the others. The reported sets are not touched.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

from benchmarks.retrieval import HERE, TUNING, is_right, opened, questions
from parallel_mcp.sandbox.engine import FOUND
from parallel_mcp.sandbox.evidence import ABOUT, EVIDENCE, RANK, Weighed

ROUNDS = 150
DECAY = 0.25  # of the weights, against overfitting
REFUSED = 0.95  # of the absent things
MEDIUM, HIGH = 0.88, 0.91  # the share of answers of at least medium, and of high confidence, that has to be right

Row = list[float]
Case = tuple[list[Row], list[bool]]  # the choices, and which of them are right


@dataclass(frozen=True, slots=True)
class Seen:
    """A question of a set, the documents that may answer it, and those that do."""

    name: str
    answerable: bool
    weighed: list[Weighed]
    right: list[bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpora", type=Path, default=HERE / "corpora", help="where the packages are kept")
    seen = [each for name in TUNING for each in look(name, parser.parse_args().corpora)]
    held = [each for name in TUNING for each in judged(*apart(seen, name))]
    for name in TUNING:
        print(line(name, [each for each in held if each.seen.name == name]))
    print(line("all", held))
    rank = fit([case for each in seen if (case := ranking(each))], len(RANK))
    print("RANK =", dict(zip(RANK, (round(weight, 2) for weight in rank), strict=True)))
    about, evidence = beliefs(seen, rank)
    print("ABOUT =", dict(zip(ABOUT, (round(weight, 2) for weight in about), strict=True)))
    print("EVIDENCE =", dict(zip(EVIDENCE, (round(weight, 2) for weight in evidence), strict=True)))
    print("FOUND, FAIR, SURE =", bounds(held))


def look(name: str, corpora: Path) -> list[Seen]:
    engine = opened(name, corpora)
    found = []
    for question, expected in questions(name):
        weighed = engine.weighed(question)
        found.append(Seen(name, bool(expected), weighed, [is_right(each.url, expected) for each in weighed]))
    return found


def fit(cases: Sequence[Case], size: int) -> Row:
    """The weights that make the right choices most likely, with a softmax over weighted sums, found by Rprop."""
    weights, steps, last = [0.0] * size, [0.1] * size, [0.0] * size
    for _ in range(ROUNDS):
        slope = [-2 * DECAY * weight for weight in weights]
        for rows, right in cases:
            odds = chances(rows, weights)
            whole = sum(odds)
            gold = sum(each for each, good in zip(odds, right, strict=True) if good)
            for row, each, good in zip(rows, odds, right, strict=True):
                pull = (each / gold if good else 0.0) - each / whole
                for place in range(size):
                    slope[place] += pull * row[place]
        for place in range(size):
            turned = slope[place] * last[place]
            steps[place] *= 1.2 if turned > 0 else 0.5 if turned < 0 else 1.0
            weights[place] += steps[place] * ((slope[place] > 0) - (slope[place] < 0))
        last = slope
    return weights


def chances(rows: Sequence[Row], weights: Row) -> list[float]:
    sums = [dot(row, weights) for row in rows]
    return [exp(each - max(sums)) for each in sums]


def dot(row: Row, weights: Row) -> float:
    return sum(one * other for one, other in zip(row, weights, strict=True))


def row_of(each: Weighed, names: Iterable[str]) -> Row:
    return [each.features[name] for name in names]


def ranking(seen: Seen) -> Case | None:
    """The choice of a document for each question that has a right one."""
    return ([row_of(each, list(RANK)) for each in seen.weighed], seen.right) if any(seen.right) else None


def ordered(seen: Seen, rank: Row) -> list[int]:
    sums = [dot(row_of(each, list(RANK)), rank) for each in seen.weighed]
    return sorted(range(len(sums)), key=lambda place: -sums[place])


def beliefs(seen: Sequence[Seen], rank: Row) -> tuple[Row, Row]:
    """The weights of ABOUT, by whether there is an answer, and of EVIDENCE, by whether one of three is right."""
    first = [(each, each.weighed[order[0]], order) for each in seen if (order := ordered(each, rank))]
    about = [believing(best, list(ABOUT), each.answerable) for each, best, _ in first]
    right = [
        believing(best, list(EVIDENCE), any(each.right[place] for place in order[:3])) for each, best, order in first
    ]
    return fit(about, len(ABOUT)), fit(right, len(EVIDENCE))


def believing(best: Weighed, names: Sequence[str], right: bool) -> Case:
    return [row_of(best, names), [0.0] * len(names)], [right, not right]


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its estimated chances, and whether the first and one of the first three are right."""

    seen: Seen
    about: float = 0.0
    sure: float = 0.0
    first: bool = False
    right: bool = False


def apart(seen: Sequence[Seen], name: str) -> tuple[list[Seen], list[Seen]]:
    return [each for each in seen if each.name != name], [each for each in seen if each.name == name]


def judged(others: Sequence[Seen], own: Sequence[Seen]) -> list[Judged]:
    """A set, judged by weights fitted on the other sets."""
    rank = fit([case for each in others if (case := ranking(each))], len(RANK))
    about, evidence = beliefs(others, rank)
    found = []
    for each in own:
        if not (order := ordered(each, rank)):
            found.append(Judged(each))
            continue
        best = each.weighed[order[0]]
        right = [each.right[place] for place in order[:3]]
        found.append(Judged(each, chance(best, ABOUT, about), chance(best, EVIDENCE, evidence), right[0], any(right)))
    return found


def chance(best: Weighed, names: Iterable[str], weights: Row) -> float:
    return 1 / (1 + exp(-dot(row_of(best, names), weights)))


def bounds(held: Sequence[Judged]) -> tuple[float, float, float]:
    """The lowest bounds, in hundredths, that refuse as many absent things, and from which as many answers are right."""
    every = [step / 100 for step in range(100)]
    absent = [each.about for each in held if not each.seen.answerable]
    found = next(bound for bound in every if sum(about < bound for about in absent) >= REFUSED * len(absent))
    answers = [each for each in held if each.seen.answerable and each.about >= found]
    fair = next(bound for bound in every if right_from(answers, bound) >= MEDIUM)
    return found, fair, next(bound for bound in every if bound > fair and right_from(answers, bound) >= HIGH)


def right_from(answers: Sequence[Judged], bound: float) -> float:
    sure = [each.right for each in answers if each.sure >= bound]
    return sum(sure) / max(1, len(sure))


def line(name: str, held: Sequence[Judged]) -> str:
    answers = [each for each in held if each.seen.answerable]
    absent = [each for each in held if not each.seen.answerable]
    one, three = (
        sum(right) / len(answers) for right in zip(*((each.first, each.right) for each in answers), strict=True)
    )
    refused = sum(each.about < FOUND for each in absent)
    found = f"{name:12}{len(answers):>4} questions, hit@1 {one:.2f}, hit@3 {three:.2f} before refusals;"
    return f"{found} {refused} of {len(absent)} absent things refused"


if __name__ == "__main__":
    main()
