"""A server process over pipes, spoken to byte by byte."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support.upstream import Upstream

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


QUIET_SECONDS = 5.0  # five times the second within which the process has to exit


class Pipe:
    """One process, and the JSON-RPC lines it writes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin = process.stdin
        self.lines = BufferedByteReceiveStream(process.stdout)

    async def send(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        await self.stdin.send(json.dumps(message).encode() + b"\n")

    async def read(self, seconds: float = 20) -> dict[str, Any]:
        with anyio.fail_after(seconds):
            line = await self.lines.receive_until(b"\n", 10_000_000)
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return dict(message)

    async def answer(self, number: int | str, seconds: float = 20) -> dict[str, Any]:
        while (message := await self.read(seconds)).get("id") != number:
            assert "method" in message
        return message

    async def shake_hands(self) -> None:
        await self.send("initialize", HELLO, 1)
        assert (await self.answer(1))["result"]["protocolVersion"] == "2025-11-25"
        await self.send("notifications/initialized", {})


@asynccontextmanager
async def started(upstream: Upstream, *flags: str, **env: str) -> AsyncIterator[Pipe]:
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", "--store", "memory:", *flags]
    if os.environ.get("TESTS_NO_FRONT"):  # the CI job that serves in one process
        command.append("--no-front")
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, **env}
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        try:
            yield Pipe(process)
        finally:
            if process.returncode is None:
                process.kill()


def _call(question: str, meta: dict[str, Any] | None = None) -> dict[str, Any]:
    call: dict[str, Any] = {"name": "web_answer", "arguments": {"question": question}}
    return {**call, "_meta": meta} if meta else call
