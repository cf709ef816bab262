"""What every test may ask for."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.upstream import Upstream, upstream_running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A developer's own key and settings must not reach a test."""
    import os

    for name in os.environ:
        if name.startswith("PARALLEL_"):
            monkeypatch.delenv(name)
    yield


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_running() as running:
        yield running
