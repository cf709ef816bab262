"""One browser for all tests of the page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.page.harness import browsing, missing


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"the page's tests need: {lacking}")
    async with browsing() as running:
        yield running
