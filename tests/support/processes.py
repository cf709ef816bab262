"""Shared by the tests of secrets and telemetry."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio

Serve = Callable[..., AbstractAsyncContextManager[str]]


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[anyio.abc.Process]:
    """`parallel-mcp` as a process, with this environment and no other."""
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    async with await anyio.open_process(command, env=environment, **pipes) as running:
        try:
            yield running
        finally:
            if running.returncode is None:
                running.kill()
