"""What `/healthz` says."""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

import anyio
from anyio.abc import TaskGroup
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from parallel_mcp.errors import StoreFailed
from parallel_mcp.research import Store, UpstreamHealth
from parallel_mcp.server import Server

logger = logging.getLogger(__name__)

STORE_SECONDS = 2.0
"""How long /healthz waits for the store."""

STORE_AGE_SECONDS = 1.0
"""How long the store's state is cached, however often /healthz is requested."""


class Health:
    """Whether the store works, and how the last request to Parallel went. Checking costs nothing.

    Anyone may ask, so it reveals no addresses and no reasons, and rarely touches the store.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._store: Literal["ok", "failing"] | None = None
        self._asking = False
        self._until = -math.inf
        self._answered = anyio.Event()
        self._group: TaskGroup

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the store check in the background while the block lasts."""
        async with anyio.create_task_group() as self._group:
            yield
            self._group.cancel_scope.cancel()

    async def answer(self, _: Request) -> Response:
        """200, or 503 if research runs cannot be stored."""
        app = self._server.app
        assert app is not None
        if not self._asking and anyio.current_time() >= self._until:
            self._asking, self._store, self._answered = True, None, anyio.Event()
            self._group.start_soon(self._ask, app.service.store)
        with anyio.move_on_after(STORE_SECONDS):
            await self._answered.wait()
        store = self._store or "slow"
        status = "ok" if store == "ok" else "failing"
        return JSONResponse(
            {"status": status, "store": store, "upstream": _describe(app.service.upstream)},
            status_code=200 if status == "ok" else 503,
            headers={"cache-control": "no-store"},
        )

    async def _ask(self, store: Store) -> None:
        """Make the store write something, which works only if it could store an answer."""
        try:
            await store.check()
        except StoreFailed as error:
            logger.warning("The store cannot be used: %s", error)
            self._store = "failing"
        except Exception as error:
            logger.error("The store failed unexpectedly: %s", type(error).__name__)
            self._store = "failing"
        else:
            self._store = "ok"
        finally:
            self._asking, self._until = False, anyio.current_time() + STORE_AGE_SECONDS
            self._answered.set()


def _describe(upstream: UpstreamHealth) -> str:
    if not upstream.anything:
        return "unknown"
    if upstream.failing_since is None:
        return "ok"
    return f"failing since {datetime.fromtimestamp(upstream.failing_since, UTC):%Y-%m-%dT%H:%M:%SZ}"
