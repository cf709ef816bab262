"""A server on stdio starts in every environment that hosts, desktops and containers are known to provide."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.support.pipes import Pipe
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(*arguments: str, **environment: str) -> AsyncIterator[Pipe]:
    """A server with exactly this environment, initialized, and its tools listed."""
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *arguments]
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        try:
            pipe = Pipe(process)
            await pipe.shake_hands()
            await pipe.send("tools/list", {}, 2)
            tools = (await pipe.answer(2))["result"]["tools"]
            assert [tool["name"] for tool in tools] == ["web_answer", "deep_research"]
            yield pipe
        finally:
            if process.returncode is None:
                process.kill()


async def called(pipe: Pipe, tool: str = "web_answer") -> dict[str, Any]:
    await pipe.send("tools/call", {"name": tool, "arguments": {"question": "Why is the sky blue?"}}, 3)
    return dict((await pipe.answer(3))["result"])


def text_of(result: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALL_PROXY": "socks4://127.0.0.1:1080"}, "ALL_PROXY"),
        ({"all_proxy": '"socks5://127.0.0.1:port"\n'}, "ALL_PROXY"),
        ({"HTTPS_PROXY": "${HTTPS_PROXY}"}, "HTTPS_PROXY"),
        ({"SSL_CERT_FILE": "/nowhere/cacert.pem"}, "SSL_CERT_FILE"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR"),
        ({"PARALLEL_API_KEY": "${PARALLEL_API_KEY}"}, "the host did not fill in"),
        ({"PARALLEL_API_KEY": ""}, "No Parallel API key is set"),
        ({"PARALLEL_MCP_MAX_MODEL": "huge"}, "PARALLEL_MCP_MAX_MODEL: write one of lite, base, core"),
        ({"PARALLEL_MCP_STORE": "${X}"}, "PARALLEL_MCP_STORE"),
        ({"PARALLEL_MCP_STORE": "redis:HOST"}, "write it as redis://"),
        ({"PARALLEL_MCP_WAIT_SECONDS": "soon"}, "PARALLEL_MCP_WAIT_SECONDS: write a number"),
        ({"PARALLEL_MCP_ACCESS_TOKENS": ","}, "PARALLEL_MCP_ACCESS_TOKENS"),
        ({"PARALLEL_BASE_URL": "api.parallel.ai"}, "PARALLEL_BASE_URL: write it as https://HOST"),
        ({"PARALLEL_MCP_SANDBOX": "true", "PARALLEL_MCP_CORPUS": "/no/such/folder"}, "PARALLEL_MCP_CORPUS"),
    ],
)
async def test_what_is_wrong_is_said_in_the_call(environment: dict[str, str], said: str) -> None:
    given = {"PARALLEL_API_KEY": "k-0123456789", "PARALLEL_MCP_STORE": "memory:", **environment}
    async with served(**given) as pipe:
        result = await called(pipe)
    assert result["isError"]
    assert said in text_of(result)
    assert "k-0123456789" not in json.dumps(result)


@pytest.mark.parametrize(
    "environment",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:port"},
        {"SSL_CERT_FILE": "/nowhere/cacert.pem"},
        {"PARALLEL_API_KEY": "your-api-key"},
    ],
)
async def test_the_sandbox_works_whatever_is_wrong_with_the_way_to_parallel(environment: dict[str, str]) -> None:
    async with served("--sandbox", **environment) as pipe:
        assert not (await called(pipe)).get("isError")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become a mere number")
async def test_without_a_home_only_what_needs_one_fails(upstream: Upstream) -> None:
    """As in a container that runs as a numeric user: no HOME, and no entry in the list of users."""
    # In one process, because that user may not be allowed to start this interpreter again.
    server = [sys.executable, "-m", "parallel_mcp", "--no-front"]
    command = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", *server]
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url}
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        try:
            pipe = Pipe(process)
            await pipe.shake_hands()
            assert not (await called(pipe)).get("isError")
            failed = await called(pipe, "deep_research")
        finally:
            if process.returncode is None:
                process.kill()
    assert failed["isError"]
    assert "PARALLEL_MCP_STORE" in text_of(failed)
