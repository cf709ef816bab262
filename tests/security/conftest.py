"""What the tests of safety and telemetry share."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.security.telescope import Telescope, installed
from tests.upstream import Upstream, serving

Serve = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def served(upstream: Upstream) -> Serve:
    """The HTTP server on a real socket in this process; yields its URL."""

    @asynccontextmanager
    async def serve(**settings: Any) -> AsyncIterator[str]:
        whole = Settings(**{"api_key": "server-key", "base_url": upstream.url, "store": "memory:", **settings})
        async with serving(application(whole)) as url:
            yield url

    return serve


@pytest.fixture
def telescope() -> Iterator[Telescope]:
    telescope = installed()
    telescope.exporter.looking = True
    yield telescope
    telescope.exporter.looking = False


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[anyio.abc.Process]:
    """`parallel-mcp` as a process, with this environment and no other."""
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    async with await anyio.open_process(command, env=environment, **pipes) as running:
        try:
            yield running
        finally:
            if running.returncode is None:
                running.kill()
