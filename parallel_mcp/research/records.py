"""What goes into a store and comes out of it."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Literal

from parallel_mcp.chat import PROMPT_VERSIONS
from parallel_mcp.models import Answer, Question, Status, is_parallels
from parallel_mcp.research.principal import Scope

Admission = Literal["added", "joined", "finished"]
"""How a question got its row: a new one, one already in flight, or one answered recently."""

Settlement = Literal["billed", "maybe", "unsent"]
"""What became of a charge: billed, possibly billed, or removed because the request was not sent or was refused."""


def join_key(scope: Scope, question: Question) -> str:
    """A hash of everything that makes two questions the same: who asks, where, what, and the prompt's version."""
    version = PROMPT_VERSIONS[question.model]
    parts = [scope.caller, scope.payer, scope.origin, question.model_dump(mode="json"), version]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class ResearchRun:
    """A research run as stored. Times are Unix seconds by the store's clock, which said `read_at` when it was read."""

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
        """Whether it has not finished and nobody holds its lease."""
        return self.status == "working" and (self.holder is None or (self.due or 0) <= self.read_at)

    @property
    def unpriced(self) -> bool:
        """Whether it may have been billed at a price that is not known here."""
        billed = self.status == "completed" or self.may_be_billed
        return billed and self.cost_usd <= 0 and "://" in self.scope.origin and not is_parallels(self.scope.origin)

    @property
    def seconds(self) -> float:
        """From the question to its end, or until now."""
        return max((self.finished_at or self.read_at) - self.created_at, 0.0)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A question as handed to a store.

    `budget_usd` is None if there is no daily budget. A `waiter` is noted as waiting for the row, as in `get`.
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
    """How a request ended: with an answer, or with an error's text. `reusable` is False if the answer is doubtful."""

    answer: Answer | None = None
    error: str | None = None
    may_be_billed: bool = False
    reusable: bool = True

    @property
    def settlement(self) -> Settlement:
        """What becomes of the request's charge. An answer that cost nothing came from a sandbox."""
        if self.answer is not None:
            return "unsent" if self.answer.cost_usd == 0 else "billed"
        return "maybe" if self.may_be_billed else "unsent"


@dataclass(frozen=True, slots=True)
class Spent:
    """What one model cost in one UTC day. `maybe_usd` is the part that may not have been billed."""

    day: str
    model: str
    requests: int
    usd: float
    maybe_usd: float
