"""The server over Streamable HTTP, on a real socket."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client

from parallel_mcp.http import application
from parallel_mcp.settings import Settings, SettingsError
from tests.support.clients import text_of
from tests.support.upstream import Upstream, serving

pytestmark = pytest.mark.anyio

ERAS = ["auto", "legacy"]


@asynccontextmanager
async def served(upstream: Upstream, **settings: Any) -> AsyncIterator[str]:
    whole = Settings(**{"api_key": "server-key", "base_url": upstream.url, "store": "memory:", **settings})
    async with serving(application(whole)) as url:
        yield url


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_both_tools_answer_in_both_eras(upstream: Upstream, mode: str, tool: str) -> None:
    async with served(upstream) as url, Client(f"{url}/mcp", mode=mode) as client:
        result = await client.call_tool(tool, {"question": "Why?"})
    assert not result.is_error
    assert "An answer to: Why?" in text_of(result)


@pytest.mark.parametrize("mode", ERAS)
async def test_progress_arrives_while_the_answer_is_awaited(upstream: Upstream, mode: str) -> None:
    gate = upstream.hold()
    seen: list[str] = []
    first = anyio.Event()

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")
        first.set()

    async with (
        served(upstream) as url,
        Client(f"{url}/mcp", mode=mode) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lambda: client.call_tool("web_answer", {"question": "Why?"}, progress_callback=progress))
        # Five times the 300 ms within which the first report is due.
        with anyio.fail_after(1.5):
            await first.wait()
        gate.set()
    assert seen[0].startswith("Asking Parallel")


async def test_an_address_that_others_can_reach_needs_known_callers() -> None:
    with pytest.raises(SettingsError, match="ACCESS_TOKENS"):
        application(Settings(host="0.0.0.0"))
    application(Settings(host="0.0.0.0", access_tokens="me:secret"))
    application(Settings(host="0.0.0.0", bring_your_own_key=True))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
    ],
)
async def test_foreign_hosts_and_origins_are_refused(upstream: Upstream, headers: dict[str, str], status: int) -> None:
    async with served(upstream) as url, httpx2.AsyncClient() as http:
        response = await http.post(f"{url}/mcp", json={}, headers=headers)
    assert response.status_code == status


async def test_a_body_over_the_limit_is_refused(upstream: Upstream) -> None:
    async with served(upstream) as url, httpx2.AsyncClient() as http:
        body = json.dumps({"question": "x" * (1024 * 1024)})
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        response = await http.post(f"{url}/mcp", content=body, headers=headers)
    assert response.status_code == 413


async def test_a_stranger_gets_401_and_the_challenge(upstream: Upstream) -> None:
    async with served(upstream, access_tokens="me:right") as url, httpx2.AsyncClient() as http:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer"}):
            response = await http.post(f"{url}/mcp", json={}, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
        assert (await http.get(f"{url}/healthz")).json() == {"status": "ok", "store": "ok", "upstream": "unknown"}
    assert not upstream.received


async def _asked(url: str, question: str, **headers: str) -> Any:
    async with httpx2.AsyncClient(headers=headers) as http:
        from mcp.client.streamable_http import streamable_http_client

        async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
            return await client.call_tool("deep_research", {"question": question})


async def test_a_callers_token_is_never_sent_upstream_and_rows_are_per_caller(upstream: Upstream) -> None:
    async with served(upstream, access_tokens="ann:token-a, bob:token-b") as url:
        ann = await _asked(url, "Why?", authorization="Bearer token-a")
        again = await _asked(url, "Why?", authorization="Bearer token-a")
        bob = await _asked(url, "Why?", authorization="Bearer token-b")
    assert [request.headers["authorization"] for request in upstream.received] == ["Bearer server-key"] * 2
    assert ann.structured_content["research_id"] == again.structured_content["research_id"]
    assert ann.structured_content["research_id"] != bob.structured_content["research_id"]


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_with_bring_your_own_key_only_the_callers_key_is_spent(upstream: Upstream, header: str) -> None:
    value = "Bearer callers-key" if header == "authorization" else "callers-key"
    async with served(upstream, bring_your_own_key=True) as url:
        result = await _asked(url, "Why?", **{header: value})
        async with httpx2.AsyncClient() as http:
            assert (await http.post(f"{url}/mcp", json={})).status_code == 401
    assert not result.is_error
    # The first, empty request finds out whether Parallel accepts the key.
    assert [request.headers["authorization"] for request in upstream.received] == ["Bearer callers-key"] * 2
    assert [bool(request.body) for request in upstream.received] == [False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_with_0(upstream: Upstream, number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", "http", "--port", "0", "--store", "memory:"]
    command += ["--shutdown-seconds", "1"]
    upstream.hold()
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url}
    async with await anyio.open_process(command, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        with anyio.fail_after(20):
            line = b""
            while b"/mcp" not in line:
                line += await process.stderr.receive()
        url = line.decode().partition("serving ")[2].split()[0]
        async with anyio.create_task_group() as group:
            group.start_soon(_swallowed, url)
            await upstream.requests(1)
            process.send_signal(number)
            with anyio.fail_after(10):
                assert await process.wait() == 0


async def _swallowed(url: str) -> None:
    """A call in flight while the service shuts down."""
    try:
        async with Client(url) as client:
            await client.call_tool("web_answer", {"question": "Why?"})
    except Exception:
        return


async def test_a_caller_who_wants_missed_events_gets_a_new_stream(upstream: Upstream) -> None:
    headers = {"accept": "text/event-stream", "mcp-protocol-version": "2025-11-25", "last-event-id": "7"}
    async with (
        served(upstream) as url,
        httpx2.AsyncClient() as http,
        http.stream("GET", f"{url}/mcp", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
