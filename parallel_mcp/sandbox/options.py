"""How a sandbox behaves: one frozen object, made by whoever starts it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parallel_mcp.sandbox.documents import folders_of

STATUS_KINDS = ("401", "402", "403", "422", "429", "500", "503")
WIRE_KINDS = ("hang", "reset", "cut", "bad-json", "html", "slow")
KINDS = STATUS_KINDS + WIRE_KINDS


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and for which share of the requests (0 to 1)."""

    kind: str
    rate: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault. The kinds are: {', '.join(KINDS)}.")
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"The rate of a fault is a number from 0 to 1, not {self.rate!r}.")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read `KIND@RATE`, as in `429@0.1`; `KIND` alone means every request. Raises ValueError naming the kinds."""
        kind, _, rate = text.strip().partition("@")
        kind = {"badjson": "bad-json"}.get(kind.lower(), kind.lower())
        try:
            share = float(rate) if rate else 1.0
        except ValueError:
            raise ValueError(
                f"{text!r} is not KIND@RATE, as in 429@0.1. The kinds are: {', '.join(KINDS)}; "
                "the rate is a number from 0 to 1."
            ) from None
        return cls(kind, share)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves. Raises ValueError where a folder of the corpus is not there.

    `corpus`: folders of Markdown, text or HTML to answer from in place of the default corpus; `installed` adds what the
    installed distributions say of themselves. `latency`: `documented` waits as long as Parallel's models do.
    `requests_per_minute`: per key, over a rolling window; 0 means no limit. `empty` and `done`: two things that
    Parallel's documents leave open, how a field is sent that is "always empty", and whether a stream ends with
    `data: [DONE]`. `seed` makes faults and latencies repeatable. `key`: the only key that is taken, where one is named.
    `exposed`: other machines may ask, too. `interactions`: the file that remembers
    for follow-ups, if not the usual one.
    """

    corpus: tuple[str | Path, ...] = ()
    latency: Literal["none", "documented"] = "none"
    faults: tuple[Fault, ...] = ()
    requests_per_minute: int = 300
    empty: Literal["null", "string", "absent"] = "null"
    done: bool = True
    seed: int | None = None
    key: str | None = None
    exposed: bool = False
    interactions: Path | None = None

    def __post_init__(self) -> None:
        if self.requests_per_minute < 0:
            raise ValueError("requests_per_minute is 0 (no limit) or more.")
        folders_of(self.corpus)
