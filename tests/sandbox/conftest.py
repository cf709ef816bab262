from collections.abc import AsyncIterator, Iterator

import pytest

from parallel_mcp.sandbox import SandboxOptions
from tests.support.sandboxes import Caller, Start, starting


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for each module's tests, so that the user's own is not touched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def start() -> Start:
    return starting


@pytest.fixture
async def sandbox() -> AsyncIterator[Caller]:
    async with starting(SandboxOptions(requests_per_minute=0)) as caller:
        yield caller
