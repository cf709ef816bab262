"""A desk with short terms over a scripted upstream, and a store whose clock can be moved."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from parallel_mcp.client import ChatClient, Pacing, open_http
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
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.upstream import Upstream

ORIGIN = "https://api.example"
QUESTION = Question(text="Why?", model="base")
TERMS = ServiceConfig(PRICES, renew_seconds=0.05, poll_seconds=0.02)
LONG = 30.0
"""Seconds that no test waits for: what ends a wait is an event."""
SOON = 5.0
"""Five times the second within which a request has to be closed and a desk has to be gone."""


def asker_of(caller: str = "local", key: str = "k", origin: str = ORIGIN) -> Principal:
    return Principal(Scope(caller, payer_of(key, origin), origin), key)


LOCAL = asker_of()


def unheard(_: str) -> None:
    pass


@dataclass
class Clock:
    """A store's clock: ahead of the machine's by as much as a test says."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class UpstreamHealth:
    """Collects words of progress, and lets a test wait for some."""

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


OpenDesk = Callable[..., AbstractAsyncContextManager[ResearchService]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(None, clock=clock)
    yield store
    await store.close()


@pytest.fixture
def open_desk(upstream: Upstream, store: SQLiteStore) -> OpenDesk:
    """Opens a desk; each is one process as far as the store can see."""

    @asynccontextmanager
    async def opening(
        *, over: Store = store, per_minute: int = 300, prices: dict[str, float] | None = None, **config: Any
    ) -> AsyncIterator[ResearchService]:
        async with open_http(upstream.url) as http:
            table = prices or PRICES
            client = ChatClient(
                http, Pacing(per_minute), timeouts=dict.fromkeys(PRICES, 60.0), prices=table, backoff_seconds=0.01
            )
            async with ResearchService(client, over, replace(TERMS, prices=table, **config)).open() as service:
                yield service

    return opening


@pytest.fixture
async def service(open_desk: OpenDesk) -> AsyncIterator[ResearchService]:
    async with open_desk() as service:
        yield service


async def left_behind(
    store: Store, principal: Principal = LOCAL, question: Question = QUESTION, price: float = PRICES["base"]
) -> ResearchRun:
    """A row whose process is gone: it was added and sent, and nobody renews its lease."""
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
    """Ask and wait, as the tool does: the row, and whether this call sent a request."""
    with anyio.fail_after(20):
        row, entry = await service.ask(principal, question, fresh=fresh)
        row, took_over = await service.wait(principal, row.research_id, seconds, unheard)
    return row, entry == "added" or took_over


async def resumed(
    service: ResearchService, research_id: str, principal: Principal = LOCAL, seconds: float = LONG
) -> tuple[ResearchRun, bool]:
    with anyio.fail_after(20):
        return await service.wait(principal, research_id, seconds, unheard)


async def requests_paid(store: Store, principal: Principal = LOCAL) -> int:
    return sum(day.requests for day in await store.spent(principal.scope))


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for what gives no event."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)
