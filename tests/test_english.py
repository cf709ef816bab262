"""Phrases that are not English, or that the glossary replaces, in any text that a person or a model reads.

Each is one that this project once had. A phrase belongs here only if no good text needs it.
"""

import re
import subprocess

import pytest

from tests.support.texts import ROOT, files, texts

FOLDERS = ("parallel_mcp", "docs", "skills", "evals", "examples", "noxfile.py", "*.md")

NOT_ENGLISH = {
    # words
    r"\bnobody foresaw\b": "unexpectedly",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again",
    r"\bin (its|their) stead\b": "instead",
    r"\blest\b": "so that it does not",
    r"\bin vain\b": "for nothing",
    r"\bhow dear\b": "how expensive",
    r"\bdesk\b": "research service",
    r"\bunder way\b": "in progress, in flight",
    r"\bin the midst of\b": "in the middle of",
    r"\bonce more at most\b": "at most once more",
    r"\bso long at most\b": "for at most that long",
    r"\bfalls over\b": "fails",
    r"\bcome by\b": "found, got",
    # verbs taken from another language
    r"\b(go|goes|going|gone) on (with|waiting|until)\b": "continue, keep waiting",
    r"\bask(s|ed|ing)? on (from|with)\b": "continue from",
    r"\bhand(s|ed|ing)? (it |them )?on\b": "pass on",
    r"\bgiv(e|es|en|ing) (it |them |(its |the )?leases? )back\b": "release",
    r"\b(comes?|came) to an end\b": "end",
    r"\bstands? (twice|on stdin)\b": "is given twice, is on stdin",
    r"\bwhat (it|an answer) took\b": "its time and cost",
    r"\bwhat is piped in\b": "piped input",
    r"\bthe whole is at\b": "the full answer is at",
    # grammar
    r"\ban? (earlier |stopped )?research\b(?! (run|model|service|row|question|call|result|tool|id|report))": "a run",
    r"(?<![Tt]here )\b(is|are|was) no (setting|member|JSON|Chat|success|message|URL|key|object|failure|folder)\b": (
        "is not a"
    ),
    r"(?<![Tt]here )\b(is|are) none\b(?! of)": "is not one",
    r"\b(None|none|empty|False) where\b": "None if",
    r", for (it|they|that|those|these|he|we|nobody|somebody)\b(?! (to|and)\b)": "because",
    r"\bin an? \w+ of (its|their|one's|our) own\b": "in a separate",
}
"""Pattern: what to write instead."""

_ANY = re.compile("|".join(NOT_ENGLISH))


def _better(text: str) -> str:
    return next(better for bad, better in NOT_ENGLISH.items() if re.search(bad, text))


def test_texts_are_plain_english() -> None:
    try:
        paths = files(*FOLDERS)
    except subprocess.CalledProcessError:
        pytest.skip("this is not a git checkout")
    read = [(path.relative_to(ROOT), number, text) for path in paths for number, text in texts(path)]
    wrong = [f"{path}:{number}: write {_better(text)!r}: {text}" for path, number, text in read if _ANY.search(text)]
    assert {path.parts[0] for path, _, _ in read} > {"parallel_mcp", "docs", "README.md"}
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("bad", ["nobody foresaw", "it is no JSON, for it was cut", "None where there is none"])
def test_the_patterns_find_what_they_are_for(bad: str) -> None:
    assert _ANY.search(f"This answer: {bad}.")
