"""Every store, behind one fixture."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parallel_mcp.models import Answer, Question
from parallel_mcp.research import NewRun, Outcome, ResearchRun, Scope, Store, join_key
from parallel_mcp.stores.redis import RedisStore, lua

NOON = 1_790_424_000.0
"""Far from midnight, so that no test crosses into a new day by accident."""


ALICE = Scope("alice", "payer", "https://api")


class Clock:
    """The store's own clock, which stands still until it is moved."""

    def __init__(self) -> None:
        self.moved = 0.0

    def pass_by(self, seconds: float) -> None:
        self.moved += seconds

    def __call__(self) -> float:
        return NOON + self.moved


def redis_offset(clock: Clock) -> Callable[[], float]:
    """The offset that makes Redis's clock show the test's time. It keeps running, by milliseconds."""
    began = time.time()
    return lambda: clock() - began


NOW = "local now = time[1] * 1000000 + time[2]"


class ShiftedRedisStore(RedisStore):
    """A store in Redis whose script uses the test's clock."""

    def __init__(self, url: str, clock: Clock, *, script: str | None = None, **more: Any) -> None:
        super().__init__(url, **more)
        self._text = script or lua()
        self._offset = redis_offset(clock)

    def source(self) -> str:
        assert NOW in self._text
        return self._text.replace(NOW, f"{NOW} + tonumber(given.offset)")

    async def _call(self, method: str, **given: object) -> Any:
        return await super()._call(method, offset=round(self._offset() * 1e6), **given)


@dataclass
class StoreUnderTest:
    """A store under test, and as many more as needed on the same data."""

    store: Store
    clock: Clock
    open_another: Callable[[], Store]
    kind: str

    def another(self) -> Store:
        """Another store on the same data, as in another process."""
        return self.open_another()


def asked(
    text: str = "Why?",
    *,
    scope: Scope = ALICE,
    holder: str = "one",
    price: float = 0.01,
    budget: float | None = None,
    reuse: float = 600,
) -> NewRun:
    """A question as handed to a store."""
    question = Question(text=text, model="base", instructions="In short.", output_schema={"type": "object"})
    return NewRun(
        scope=scope,
        key=join_key(scope, question),
        question=question,
        holder=holder,
        price_usd=price,
        budget_usd=budget,
        reuse_seconds=reuse,
    )


def answer(content: str = "Because.") -> Answer:
    return Answer(
        content=content,
        data={"why": [1, None, "ü\ud800"]},
        citations=(),
        basis=(),
        model="base",
        interaction_id="i-1",
        cost_usd=0.01,
        seconds=12.5,
        reused=False,
        warnings=(),
    )


def answered(content: str = "Because.", *, reusable: bool = True) -> Outcome:
    return Outcome(answer=answer(content), reusable=reusable)


def failed(error: str = "It broke.", *, may_be_billed: bool = False) -> Outcome:
    return Outcome(error=error, may_be_billed=may_be_billed)


async def added(store: Store, new: NewRun) -> ResearchRun:
    """A row, asserted to be new."""
    row, entry = await store.add_or_join(new)
    assert entry == "added"
    return row


def content_of(row: ResearchRun | None) -> str | None:
    return row.answer.content if row is not None and row.answer is not None else None
