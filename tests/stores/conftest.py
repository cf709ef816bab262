import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from parallel_mcp.research import Store
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.redis_server import RedisServer, redis_running
from tests.support.stores import Clock, ShiftedRedisStore, StoreUnderTest


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with redis_running() as server:
        yield server


@pytest.fixture(params=["memory", "file", "redis"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreUnderTest]:
    kind: str = request.param
    clock = Clock()
    async with AsyncExitStack() as stack:

        def sqlite(path: Path | None) -> Store:
            store = SQLiteStore(path, retention_days=30, clock=clock)
            stack.push_async_callback(store.close)
            return store

        if kind == "memory":
            only = sqlite(None)
            yield StoreUnderTest(only, clock, lambda: only, kind)
        elif kind == "file":
            path = tmp_path / "research.sqlite3"
            yield StoreUnderTest(sqlite(path), clock, lambda: sqlite(path), kind)
        else:
            server: RedisServer = request.getfixturevalue("redis_server")
            prefix = f"test-{secrets.token_hex(4)}"

            def redis() -> Store:
                store = ShiftedRedisStore(server.socket_url, clock, retention_days=30, prefix=prefix)
                stack.push_async_callback(store.close)
                return store

            yield StoreUnderTest(redis(), clock, redis, kind)
