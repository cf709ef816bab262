from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client

from parallel_mcp.server import build
from tests.support.clients import ERAS, Connect, settings_for
from tests.support.upstream import Upstream


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(upstream: Upstream, era: str) -> Connect:
    """Clients of a server with these settings, in either era."""

    @asynccontextmanager
    async def connecting(**more: Any) -> AsyncIterator[Client]:
        async with Client(build(settings_for(upstream, **more)), mode=era) as client:
            yield client

    return connecting
