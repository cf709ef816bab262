"""How well the sandbox finds: hit@1 and hit@3 of each model beside plain BM25, and what it owns up to not knowing.

Run as `python benchmarks/retrieval.py [--half tuning|development|further|held-out|all] [--json]`. The corpus is
restricted to the distributions in `pins.txt` and the reference topics of Python 3.11, so that the figures mean the same
everywhere. A hit is judged as a user would: by the answer's citations, in their order.

The engine's vocabulary was written with the tuning questions and the `read` parts of the others in view. Nobody looked
at the questions of the `validation` parts, of which only the figures were seen while its constants were chosen, nor at
the held-out half, which says what to expect.
"""

import argparse
import importlib.metadata
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

from parallel_mcp.sandbox.corpus import Corpus, distribution_documents, normalized, topic_documents
from parallel_mcp.sandbox.engine import Engine, Model

HERE = Path(__file__).parent
PYTHON = (3, 11)

SEEN = ("tuning", "development, read", "further, read")

Item = dict[str, object]
T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--half", choices=["tuning", "development", "further", "held-out", "all"], default="tuning")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--misses", action="store_true", help="also print what was missed, on stderr")
    given = parser.parse_args()
    corpus = pinned_corpus()
    report = {
        name: measure(corpus, items, absent, given.misses and name in SEEN)
        for half in halves(given.half)
        for name, items, absent in parts(half)
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if given.json else table(report))


def halves(which: str) -> list[str]:
    return ["tuning", "development", "further", "held-out"] if which == "all" else [which]


def parts(half: str) -> list[tuple[str, list[Item], list[str]]]:
    """The questions of a half, and those without an answer. The development and further ones come in two parts."""
    if half == "further":
        missing = _read("absent_further")
        return [(f"further, {part}", _read(f"further_{part}"), missing[part]) for part in ("read", "validation")]
    name = half.replace("-", "_")
    items: list[Item] = _read(name)
    if half != "development":
        return [(half, items, _read("absent")[name])]
    absent: list[str] = _read("absent_development")
    return [(f"development, {part}", _part(items, part), _part(absent, part)) for part in ("read", "validation")]


def _read(name: str) -> Any:
    return json.loads((HERE / "questions" / f"{name}.json").read_text())


def _part(items: list[T], part: str) -> list[T]:
    """One of two halves by lot, the same ones every time."""
    order = list(range(len(items)))
    random.Random(20).shuffle(order)
    chosen = order[: len(items) // 2] if part == "read" else order[len(items) // 2 :]
    return [items[number] for number in sorted(chosen)]


def pinned_corpus() -> Corpus:
    """The corpus that the questions were written for. Exits with what to install where this machine has another."""
    pins = dict(line.split("==") for line in (HERE / "pins.txt").read_text().split() if "==" in line)
    problems = [problem for name, version in pins.items() if (problem := _differs(name, version))]
    if sys.version_info[:2] != PYTHON:
        problems.append(
            f"Python {PYTHON[0]}.{PYTHON[1]} is needed, this is {sys.version_info.major}.{sys.version_info.minor}"
        )
    if problems:
        raise SystemExit(
            "The questions were written for other versions than are installed here:\n  "
            + "\n  ".join(problems)
            + "\nInstall them with: python -m pip install --no-deps -r benchmarks/pins.txt"
        )
    only = {normalized(name): version for name, version in pins.items()}
    return Corpus([*distribution_documents(only), *topic_documents()])


def _differs(name: str, version: str) -> str:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} {version} is not installed"
    return "" if found == version else f"{name} is {found}, not {version}"


def measure(corpus: Corpus, items: list[Item], absent: list[str], show: bool) -> dict[str, object]:
    """The figures of some questions, for each way of searching."""
    engine = Engine(corpus)

    def plain(question: str) -> list[str]:
        return [document.key for document in corpus.plain(set(re.findall(r"\w+", question.lower())), 3)]

    def asked(model: Model) -> Callable[[str], list[str]]:
        return lambda question: [each.document.key for each in engine.search(question, model).sources]

    ways = {"plain BM25": plain, **{model: asked(model) for model in get_args(Model)}}
    return {
        "questions": len(items),
        "absent": len(absent),
        "ways": {name: _figures(way, items, absent, name if show else "") for name, way in ways.items()},
    }


def _figures(way: Callable[[str], list[str]], items: list[Item], absent: list[str], show: str) -> dict[str, float]:
    started = time.process_time()
    found = [way(str(item["question"])) for item in items]
    seconds = time.process_time() - started
    silent = [question for question in absent if not way(question)]
    if show:
        _print_misses(show, items, found, [question for question in absent if question not in silent])
    return {
        "hit@1": _hits(items, found, 1),
        "hit@3": _hits(items, found, 3),
        "said not found": len(silent),
        "wrongly not found": sum(not keys for keys in found),
        "ms": round(1000 * seconds / max(1, len(items)), 1),
    }


def _hits(items: list[Item], found: list[list[str]], depth: int) -> float:
    hits = sum(_hit(item, keys[:depth]) for item, keys in zip(items, found, strict=True))
    return round(hits / max(1, len(items)), 3)


def _hit(item: Item, keys: Iterable[str]) -> bool:
    expected = item["expected"]
    assert isinstance(expected, list)
    return not set(keys).isdisjoint(expected)


def _print_misses(name: str, items: list[Item], found: list[list[str]], answered: list[str]) -> None:
    for item, keys in zip(items, found, strict=True):
        if not _hit(item, keys[:1]):
            sys.stderr.write(f"{name}: {item['question']}\n    expected {item['expected']}, found {keys}\n")
    for question in answered:
        sys.stderr.write(f"{name}: ABSENT, yet answered: {question}\n")


def table(report: dict[str, dict[str, object]]) -> str:
    lines = []
    for half, figures in report.items():
        ways = figures["ways"]
        assert isinstance(ways, dict)
        lines.append(f"{half}: {figures['questions']} questions, {figures['absent']} absent ones")
        lines.append(f"{'':12}{'hit@1':>8}{'hit@3':>8}{'absent said':>13}{'wrongly not':>13}{'ms':>7}")
        for name, row in ways.items():
            hits = f"{row['hit@1']:>8.3f}{row['hit@3']:>8.3f}"
            lines.append(f"{name:12}{hits}{row['said not found']:>13}{row['wrongly not found']:>13}{row['ms']:>7}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
