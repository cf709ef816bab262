"""How a sandbox behaves, as one frozen object."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parallel_mcp.sandbox.documents import folders_of

STATUS_KINDS = ("401", "402", "403", "422", "429", "500", "503")
WIRE_KINDS = ("hang", "reset", "cut", "bad-json", "html", "slow")
KINDS = STATUS_KINDS + WIRE_KINDS


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of failure, and the share of requests that it affects (0 to 1)."""

    kind: str
    rate: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a fault. The kinds are: {', '.join(KINDS)}.")
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"The rate of a fault must be a number from 0 to 1, not {self.rate!r}.")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Parse `KIND@RATE`, such as `429@0.1`. `KIND` alone means every request. Raises ValueError."""
        kind, _, rate = text.strip().partition("@")
        kind = {"badjson": "bad-json"}.get(kind.lower(), kind.lower())
        try:
            share = float(rate) if rate else 1.0
        except ValueError:
            raise ValueError(
                f"{text!r} is not KIND@RATE, such as 429@0.1. The kinds are: {', '.join(KINDS)}; "
                "the rate is a number from 0 to 1."
            ) from None
        return cls(kind, share)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves. Raises ValueError if a folder of the corpus does not exist.

    `corpus`: folders of Markdown, text or HTML to answer from, instead of the default corpus; `installed` adds the
    descriptions of the installed distributions. `latency`: `documented` waits as long as Parallel's models do.
    `requests_per_minute`: per key, in a rolling window; 0 means no limit. `empty` and `done`: two things that the
    documentation leaves open, namely how a field that is "always empty" is sent, and whether a stream ends with
    `data: [DONE]`. `seed` makes faults and latencies repeatable. `key`: the only key to accept, or any if None.
    `exposed`: whether other machines may ask. `interactions`: the file that stores follow-ups, or None for the default.
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
            raise ValueError("requests_per_minute must be 0 (no limit) or more.")
        folders_of(self.corpus)
