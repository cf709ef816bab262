import sys
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp

from tests.support.baited import answer
from tests.support.upstream import Received, upstream_running


@pytest.fixture(scope="package")
def deep_enough() -> Iterator[None]:
    """Room for the threads that write deep cases out: what is thrown may be too deep, not for us to throw it."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(usual)


@pytest.fixture(scope="package")
def upstream_url() -> Iterator[str]:
    """Where a Chat endpoint is that answers a schema with values which are hard on it."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream_running()) as upstream:

        async def reply(received: Received) -> ASGIApp:
            upstream.received.clear()
            return answer(received)

        upstream.reply = reply
        yield upstream.url
