"""A research service with short times over a scripted upstream, and a store whose clock can be moved."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import anyio

from parallel_mcp.models import PRICES, Question
from parallel_mcp.research import (
    NewRun,
    Principal,
    ResearchRun,
    ResearchService,
    Scope,
    ServiceConfig,
    Store,
    join_key,
    payer_of,
)

ORIGIN = "https://api.example"


QUESTION = Question(text="Why?", model="base")


CONFIG = ServiceConfig(PRICES, renew_seconds=0.05, poll_seconds=0.02)


LONG = 30.0
"""Seconds that no test waits for: events end the waits."""


SOON = 5.0
"""Five times the second within which a request has to be closed and a service has to end."""


def principal_of(caller: str = "local", key: str = "k", origin: str = ORIGIN) -> Principal:
    return Principal(Scope(caller, payer_of(key, origin), origin), key)


LOCAL = principal_of()


def ignore(_: str) -> None:
    pass


@dataclass
class Clock:
    """A store's clock, ahead of the machine's by as much as a test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class ProgressLog:
    """Collects progress, and lets a test wait for it."""

    words: list[str] = field(default_factory=list)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def __call__(self, words: str) -> None:
        self.words.append(words)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition: Callable[[list[str]], bool]) -> None:
        with anyio.fail_after(10):
            while not condition(self.words):
                await self._news.wait()


OpenService = Callable[..., AbstractAsyncContextManager[ResearchService]]


async def left_behind(
    store: Store, principal: Principal = LOCAL, question: Question = QUESTION, price: float = PRICES["base"]
) -> ResearchRun:
    """A row whose process has died: it was added and sent, but nobody renews its lease."""
    new = NewRun(
        scope=principal.scope,
        key=join_key(principal.scope, question),
        question=question,
        holder="gone",
        price_usd=price,
        budget_usd=None,
        reuse_seconds=600,
    )
    row, entry = await store.add_or_join(new)
    assert entry == "added"
    return row


async def asked(
    service: ResearchService,
    principal: Principal = LOCAL,
    question: Question = QUESTION,
    *,
    seconds: float = LONG,
    fresh: bool = False,
) -> tuple[ResearchRun, bool]:
    """Ask and wait, as the tool does. Returns the row, and whether this call sent a request."""
    with anyio.fail_after(20):
        row, entry = await service.ask(principal, question, fresh=fresh)
        row, took_over = await service.wait(principal, row.research_id, seconds, ignore)
    return row, entry == "added" or took_over


async def resumed(
    service: ResearchService, research_id: str, principal: Principal = LOCAL, seconds: float = LONG
) -> tuple[ResearchRun, bool]:
    with anyio.fail_after(20):
        return await service.wait(principal, research_id, seconds, ignore)


async def requests_paid(store: Store, principal: Principal = LOCAL) -> int:
    return sum(day.requests for day in await store.spent(principal.scope))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)
