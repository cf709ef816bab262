from collections.abc import AsyncIterator

import pytest

from parallel_mcp.sandbox import SandboxOptions
from tests.support.sandboxes import Caller, Start, starting


@pytest.fixture
def start() -> Start:
    return starting


@pytest.fixture
async def sandbox() -> AsyncIterator[Caller]:
    async with starting(SandboxOptions(requests_per_minute=0)) as caller:
        yield caller
