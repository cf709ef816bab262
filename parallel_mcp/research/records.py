"""What goes into a store and comes out of it."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Literal

from parallel_mcp.chat import PROMPT_VERSION
from parallel_mcp.models import Answer, Question, Status
from parallel_mcp.research.principal import Scope

Admission = Literal["added", "joined", "finished"]
"""How a question came to its row: it is new, it is in flight already, or it was answered lately."""

Settlement = Literal["billed", "maybe", "unsent"]
"""What became of a charge: paid, possibly paid, or never sent or refused and therefore removed."""


def join_key(scope: Scope, question: Question) -> str:
    """What makes two questions the same: a hash of who asks, where, what, and in which words it is sent."""
    parts = [scope.caller, scope.payer, scope.origin, question.model_dump(mode="json"), PROMPT_VERSION]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class ResearchRun:
    """A research run as it is stored. Times are Unix seconds by the store's own clock, whose now is `read_at`."""

    research_id: str
    scope: Scope
    question: Question
    status: Status
    created_at: float
    attempts: int
    holder: str | None
    due: float | None
    finished_at: float | None
    answer: Answer | None
    error: str | None
    may_be_billed: bool
    cost_usd: float
    read_at: float

    @property
    def lapsed(self) -> bool:
        """Whether nobody holds it although it is not over."""
        return self.status == "working" and (self.holder is None or (self.due or 0) <= self.read_at)

    @property
    def seconds(self) -> float:
        """From the question to the end, or to now."""
        return max((self.finished_at or self.read_at) - self.created_at, 0.0)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A question as it is handed to a store.

    `budget_usd` is None where there is no limit for the day; a `waiter` is noted as waiting for the row, as in `get`.
    """

    scope: Scope
    key: str
    question: Question
    holder: str
    price_usd: float
    budget_usd: float | None
    reuse_seconds: float
    waiter: str | None = None
    research_id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: with an answer, or with an error's text. `reusable` is False for a doubtful answer."""

    answer: Answer | None = None
    error: str | None = None
    may_be_billed: bool = False
    reusable: bool = True

    @property
    def settlement(self) -> Settlement:
        """What becomes of the request's charge; an answer that cost nothing came from a sandbox."""
        if self.answer is not None:
            return "unsent" if self.answer.cost_usd == 0 else "billed"
        return "maybe" if self.may_be_billed else "unsent"


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid in one UTC day for one model; `maybe_usd` is the part that may not have been billed."""

    day: str
    model: str
    requests: int
    usd: float
    maybe_usd: float
