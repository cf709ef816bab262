"""Tasks over Streamable HTTP, on a real socket: routing headers, callers, and a client from start to end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.support.polling import IDENTIFIER, Handle, Tasks, cancel, get, over, started, update
from tests.support.upstream import Upstream, serving

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(upstream: Upstream, **more: Any) -> AsyncIterator[str]:
    settings = Settings(api_key="k", base_url=upstream.url, store="memory:", **more)
    async with serving(application(settings)) as url:
        yield f"{url}/mcp"


@asynccontextmanager
async def connected(url: str, token: str | None = None) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), extensions=[Tasks()]) as client,
    ):
        yield client


async def post(url: str, method: str, params: dict[str, Any], name: str | None) -> httpx2.Response:
    """A 2026-07-28 request that declares tasks, with the given `Mcp-Name`."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {IDENTIFIER: {}}},
    }
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
    headers |= {"mcp-method": method} | ({"mcp-name": name} if name is not None else {})
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    async with httpx2.AsyncClient() as http:
        return await http.post(url, json=body, headers=headers)


async def test_a_task_is_completed_over_a_socket(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with served(upstream) as url, connected(url) as client:
        handle = await started(client)
        await upstream.requests(1)
        gate.set()
        task = await over(client.session, handle.task_id)
    assert task.status == "completed"
    assert task.result is not None
    assert "An answer to: Why?" in task.result["content"][0]["text"]


async def test_a_task_outlives_the_connection_that_asked_for_it(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with served(upstream) as url:
        async with connected(url) as client:
            handle = await started(client)
            await upstream.requests(1)
        gate.set()
        async with connected(url) as client:
            task = await over(client.session, handle.task_id)
    assert task.status == "completed"
    assert len(upstream.received) == 1


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/update"])
async def test_the_name_header_must_be_the_id_of_the_task(upstream: Upstream, method: str) -> None:
    upstream.hold()
    async with served(upstream) as url, connected(url) as client:
        handle = await started(client)
        params: dict[str, Any] = {"taskId": handle.task_id, "inputResponses": {}}
        for name in (None, "", "another-task", "=?base64?not base64?="):
            refused = await post(url, method, params, name)
            assert refused.status_code == 400
            assert refused.json()["error"]["code"] == -32020
        assert (await get(client.session, handle.task_id)).status == "working"
        assert (await post(url, method, params, handle.task_id)).status_code == 200


async def test_an_encoded_name_header_is_read_as_what_it_stands_for(upstream: Upstream) -> None:
    async with served(upstream) as url:
        answer = await post(url, "tasks/get", {"taskId": "ä"}, "=?base64?w6Q=?=")
    assert answer.json()["error"]["code"] == -32602


async def test_answers_are_required_of_an_update(upstream: Upstream) -> None:
    async with served(upstream) as url:
        answer = await post(url, "tasks/update", {"taskId": "a"}, "a")
    assert answer.json()["error"]["code"] == -32602


async def test_another_callers_task_is_unknown(upstream: Upstream) -> None:
    gate = upstream.hold()
    tokens = {"ann": "token-of-ann", "ben": "token-of-ben"}
    async with (
        served(upstream, access_tokens=tokens) as url,
        connected(url, tokens["ann"]) as ann,
        connected(url, tokens["ben"]) as ben,
    ):
        handle = await started(ann)
        for method in (get, cancel, update):
            with pytest.raises(MCPError) as refused:
                await method(ben.session, handle.task_id)
            assert refused.value.code == -32602
        assert (await get(ann.session, handle.task_id)).status == "working"
        gate.set()
        assert (await over(ann.session, handle.task_id)).status == "completed"


async def test_a_caller_who_brings_a_key_is_known_by_it(upstream: Upstream) -> None:
    async with (
        served(upstream, bring_your_own_key=True) as url,
        connected(url, "key-one") as one,
        connected(url, "key-two") as two,
    ):
        for client in (one, two):
            # A new key is tried first.
            await client.call_tool("web_answer", {"question": "Who?"})
        gate = upstream.hold()
        handle = await started(one)
        with pytest.raises(MCPError) as refused:
            await get(two.session, handle.task_id)
        assert refused.value.code == -32602
        gate.set()
        assert (await over(one.session, handle.task_id)).status == "completed"
    assert upstream.received[-1].headers["authorization"] == "Bearer key-one"


async def test_many_tasks_are_under_way_at_once(upstream: Upstream) -> None:
    gate = upstream.hold()
    handles: list[Handle] = []
    answered: list[str] = []
    async with served(upstream) as url, connected(url) as client:

        async def start(number: int) -> None:
            handles.append(await started(client, f"Question {number}?"))

        async def finish(handle: Handle) -> None:
            task = await over(client.session, handle.task_id)
            answered.append((task.result or {})["structuredContent"]["question"])

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(start, number)
        gate.set()
        async with anyio.create_task_group() as group:
            for handle in handles:
                group.start_soon(finish, handle)
    assert sorted(answered) == sorted(f"Question {number}?" for number in range(20))
