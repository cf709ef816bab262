"""One finding of the doctor."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, its verdict, and what was found and what to do, in words."""

    what: str
    verdict: Verdict
    words: str
