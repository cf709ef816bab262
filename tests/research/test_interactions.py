"""Only the caller who was given an answer can continue from it, even if others share the key."""

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import TextContent

from tests.support.processes import Serve
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

TOKENS = "ann:0123456789abcdef0123, bob:fedcba98765432100123"


async def _ask(url: str, token: str, tool: str, follow_up_to: str | None = None) -> tuple[bool, str | None, str]:
    """Whether it failed, the id to continue from, and the text."""
    headers = {"authorization": f"Bearer {token}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        result = await client.call_tool(tool, {"question": "Why?", "follow_up_to": follow_up_to})
    found = result.structured_content or {}
    answer = found.get("answer", found) if tool == "deep_research" else found
    text = "".join(block.text for block in result.content if isinstance(block, TextContent))
    return bool(result.is_error), answer.get("interaction_id") if answer else None, text


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_an_id_is_taken_only_from_the_caller_who_was_given_it(
    served: Serve, upstream: Upstream, tool: str
) -> None:
    async with served(access_tokens=TOKENS, store="memory:") as url:
        _, given, _ = await _ask(url, "0123456789abcdef0123", tool)
        assert given is not None
        assert given != "i-1"
        upstream.received.clear()
        failed, _, text = await _ask(url, "fedcba98765432100123", tool, given)
        assert failed
        assert "not an interaction_id that you were given" in text
        failed, _, _ = await _ask(url, "fedcba98765432100123", tool, "i-1")
        assert failed
        assert not upstream.received
        failed, again, _ = await _ask(url, "0123456789abcdef0123", tool, given)
        assert not failed
        assert again is not None
    assert [received.body["previous_interaction_id"] for received in upstream.received] == ["i-1"]
