from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.models import PRICES
from parallel_mcp.research import (
    ResearchService,
    Store,
)
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import CONFIG, Clock, OpenService
from tests.support.upstream import Upstream


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(None, clock=clock)
    yield store
    await store.close()


@pytest.fixture
def open_service(upstream: Upstream, store: SQLiteStore) -> OpenService:
    """Opens a research service. To the store, each is a separate process."""

    @asynccontextmanager
    async def opening(
        *, over: Store = store, per_minute: int = 300, prices: dict[str, float] | None = None, **config: Any
    ) -> AsyncIterator[ResearchService]:
        async with open_http(upstream.url) as http:
            table = prices or PRICES
            client = ChatClient(
                http, Pacing(per_minute), timeouts=dict.fromkeys(PRICES, 60.0), prices=table, backoff_seconds=0.01
            )
            async with ResearchService(client, over, replace(CONFIG, prices=table, **config)).open() as service:
                yield service

    return opening


@pytest.fixture
async def service(open_service: OpenService) -> AsyncIterator[ResearchService]:
    async with open_service() as service:
        yield service
