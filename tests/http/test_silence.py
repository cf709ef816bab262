"""A long silent call behind a proxy that closes idle connections: bytes flow, and it ends well.

Scaled down: nginx gives up after 4 s, there is a heartbeat every second, and the call takes 15. `python -m
benchmarks.silence` measures the true figures, five minutes and 60 s.
"""

import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp_types import TextContent

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.support.silent_call import SilentCall, SilentCalls, nginx, nginx_program
from tests.support.upstream import Upstream, serving

pytestmark = pytest.mark.anyio

IDLE_SECONDS = 4
HEARTBEAT_SECONDS = 1.0
BEATS = 14
FOREVER = 3600.0

needs_nginx = pytest.mark.skipif(nginx_program() is None, reason="nginx is not installed: apt-get install nginx-light")


def _application(upstream: Upstream, heartbeat_seconds: float = HEARTBEAT_SECONDS, **settings: Any) -> Any:
    return application(
        Settings(
            api_key="k",
            base_url=upstream.url,
            store="memory:",
            wait_seconds=400,
            heartbeat_seconds=heartbeat_seconds,
            **settings,
        )
    )


@needs_nginx
async def test_a_silent_call_of_15_s_ends_well_behind_a_proxy_that_gives_up_after_4(upstream: Upstream) -> None:
    gate = upstream.hold()
    silent = SilentCalls()
    async with serving(_application(upstream)) as url, nginx(url, IDLE_SECONDS) as proxied:
        with anyio.fail_after(120):
            async with anyio.create_task_group() as group:
                group.start_soon(silent.run, proxied, IDLE_SECONDS)
                await silent.until_each_has(BEATS)
                gate.set()
    for call in silent.calls:
        assert call.result()["structuredContent"]["answer"]["content"] == f"An answer to: {call.question}"
        assert call.with_token == (b"notifications/progress" in call.body), call.name


@needs_nginx
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_without_heartbeats_the_same_proxy_gives_the_call_up(upstream: Upstream, era: str) -> None:
    upstream.hold()
    call = SilentCall(era, with_token=False)
    async with serving(_application(upstream, FOREVER)) as url, nginx(url, IDLE_SECONDS) as proxied:
        with anyio.fail_after(60):
            await call.run(proxied, 10 * IDLE_SECONDS)
    assert call.status == 504 or call.broken is not None


@needs_nginx
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdks_client_reads_on_through_heartbeats(upstream: Upstream, mode: str) -> None:
    gate = upstream.hold()
    gauge = SilentCall("modern", with_token=False)
    beats = anyio.Event()
    async with (
        serving(_application(upstream, 0.2)) as url,
        nginx(url, IDLE_SECONDS) as proxied,
        Client(f"{proxied}/mcp", mode=mode) as client,
        anyio.create_task_group() as group,
    ):
        with anyio.fail_after(60):
            group.start_soon(gauge.run, proxied, IDLE_SECONDS, lambda: beats.set() if gauge.parts >= 5 else None)

            async def release() -> None:
                await upstream.requests(2)
                await beats.wait()
                gate.set()

            group.start_soon(release)
            result = await client.call_tool("deep_research", {"question": "Why?", "model": "core"})
    assert isinstance(result.content[0], TextContent)
    assert "An answer to: Why?" in result.content[0].text


async def test_an_answer_after_a_heartbeat_is_a_whole_event(upstream: Upstream) -> None:
    """After the first heartbeat the response is a stream, so the SDK's plain JSON has to become an event."""
    gate = upstream.hold()
    call = SilentCall("modern", with_token=False)
    beats = anyio.Event()
    async with serving(_application(upstream, 0.1)) as url, anyio.create_task_group() as group:
        with anyio.fail_after(30):
            group.start_soon(call.run, url, IDLE_SECONDS, beats.set)
            await beats.wait()
            gate.set()
    assert call.body.startswith(b": keepalive\r\n\r\n")
    assert b"event: message\r\ndata: {" in call.body
    assert call.body.endswith(b"\r\n\r\n")
    assert call.result()["structuredContent"]["status"] == "completed"


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
async def test_what_is_answered_at_once_keeps_its_status_and_form(upstream: Upstream, accept: str) -> None:
    async with serving(_application(upstream)) as url, httpx2.AsyncClient() as http:
        headers = {"content-type": "application/json", "accept": accept}
        response = await http.post(f"{url}/mcp", content=b"{", headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/json")
    assert json.loads(response.content)["jsonrpc"] == "2.0"
