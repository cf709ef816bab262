"""Both tools through a real client, server, HTTP client and socket."""

import pytest
from mcp import Client

from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.clients import text_of
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_web_answer_carries_the_sources_that_the_model_names(upstream: Upstream, mode: str) -> None:
    settings = Settings(api_key="k", base_url=upstream.url, store="memory:")
    async with Client(build(settings), mode=mode) as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["content"] == "An answer to: Why?"
    assert [source["url"] for source in result.structured_content["citations"]] == ["https://example.com/a"]
    assert "[1] https://example.com/a" in text_of(result)
