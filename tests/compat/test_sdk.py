"""The SDK's mistakes: if a test fails here, the piece of `compat` in its name can go."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from json5 import loads
from json5.loader import ModelLoader
from mcp import Client
from mcp.server.lowlevel.server import Server as LowLevelServer
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from parallel_mcp.compat.progress import wants_progress
from tests.support.upstream import serving

pytestmark = pytest.mark.anyio

LEGACY = {"content-type": "application/json", "mcp-protocol-version": "2025-06-18"}
BOTH = {**LEGACY, "accept": "application/json, text/event-stream"}


def plain_server() -> MCPServer[Any]:
    """The SDK's server with one tool, and nothing of ours."""
    server: MCPServer[Any] = MCPServer("plain")

    @server.tool()
    def echo(text: str) -> str:
        return text

    return server


@pytest.fixture
async def plain() -> AsyncIterator[httpx2.AsyncClient]:
    app = plain_server().streamable_http_app(stateless_http=True)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        del client.headers["accept"]
        yield client


def call(text: str = "hello", **more: Any) -> dict[str, Any]:
    params = {"name": "echo", "arguments": {"text": text}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **more}


async def test_accept__a_call_without_both_types_is_refused(plain: httpx2.AsyncClient) -> None:
    for accept in ("application/json", "text/event-stream"):
        response = await plain.post("/mcp", json=call(), headers={**LEGACY, "accept": accept})
        assert response.status_code == 406


async def test_messages__half_a_surrogate_pair_is_refused(plain: httpx2.AsyncClient) -> None:
    body = json.dumps(call("cut HALF")).replace("HALF", r"\ud83d")
    response = await plain.post("/mcp", content=body.encode(), headers=BOTH)
    assert response.status_code == 400


async def test_messages__a_byte_order_mark_is_refused(plain: httpx2.AsyncClient) -> None:
    response = await plain.post("/mcp", content=b"\xef\xbb\xbf" + json.dumps(call()).encode(), headers=BOTH)
    assert response.status_code == 400


@pytest.mark.parametrize("number", [None, 1.5, True])
async def test_messages__a_request_with_a_bad_id_is_taken_for_a_notification(
    plain: httpx2.AsyncClient, number: Any
) -> None:
    response = await plain.post("/mcp", json=call(id=number), headers=BOTH)
    assert response.status_code == 202


async def test_http_errors__the_refusal_quotes_the_request(plain: httpx2.AsyncClient) -> None:
    response = await plain.post("/mcp", json={"secret": "words of a question"}, headers=BOTH)
    assert response.status_code == 400
    assert "words of a question" in response.text


async def test_authority__any_text_is_a_port(plain: httpx2.AsyncClient) -> None:
    headers = {**BOTH, "host": "localhost:1@evil.example", "origin": "http://localhost:1@evil.example"}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert (await plain.post("/mcp", json=listing, headers=headers)).status_code == 200


async def test_unknown_names__an_unknown_tool_is_a_result_and_no_protocol_error() -> None:
    async with Client(plain_server()) as client:
        result = await client.call_tool("no_such_tool", {})
    assert result.is_error


async def test_checked_tools__unknown_arguments_are_ignored() -> None:
    async with Client(plain_server()) as client:
        result = await client.call_tool("echo", {"text": "hello", "unknown": 1})
    assert not result.is_error


def test_stdio__a_line_that_cannot_be_read_raises_where_nobody_can_answer_it() -> None:
    with pytest.raises(ValidationError):
        jsonrpc_message_adapter.validate_json('{"jsonrpc": "2.0", "id": 1, "method": "a\\ud83d"}', by_name=False)


@pytest.mark.parametrize("module", ["rich.logging", "uvicorn"])
async def test_a_plain_server_loads_what_only_other_servers_need(module: str) -> None:
    """`compat.logging` and `compat.imports`."""
    code = (
        f"import sys; from mcp.server.mcpserver import MCPServer; MCPServer('plain'); print({module!r} in sys.modules)"
    )
    done = await anyio.run_process([sys.executable, "-c", code])
    assert done.stdout.strip() == b"True"


def test_lowlevel__the_low_level_server_has_no_public_name() -> None:
    server = plain_server()
    server.streamable_http_app()
    public = [getattr(server, name) for name in dir(server) if not name.startswith("_")]
    assert not any(isinstance(value, LowLevelServer) for value in public)


def test_json_five__a_node_does_not_say_where_it_stands() -> None:
    node = loads('{"a": 1}', loader=ModelLoader()).value
    assert not {name for name in vars(node) if not name.startswith("_")} & {
        "start",
        "end",
        "position",
        "span",
        "tokens",
    }


@pytest.mark.parametrize(("mode", "unasked"), [("auto", True), ("legacy", False)])
async def test_progress__whether_it_is_asked_for_has_no_public_name(mode: Any, unasked: bool) -> None:
    """With one, wants_progress can go. The in-process dispatcher always accepts progress."""
    server, seen = plain_server(), list[bool]()

    @server.tool()
    async def look(ctx: Context[Any, Any]) -> str:
        assert not hasattr(ctx, "wants_progress")
        seen.append(wants_progress(ctx.request_context.session))
        return ""

    async def ignore(progress: float, total: float | None, message: str | None) -> None:
        pass

    async with Client(server, mode=mode) as client:
        await client.call_tool("look", {})
        await client.call_tool("look", {}, progress_callback=ignore)
    assert seen == [unasked, True]
