"""Every format of a research run as a resource, and the page for MCP Apps."""

import json
from importlib.resources import files

import pytest
from mcp import Client

from parallel_mcp.report import FORMATS
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


def settings(upstream: Upstream) -> Settings:
    return Settings(api_key="k", base_url=upstream.url, store="memory:")


async def test_a_research_run_is_a_resource_in_every_format(upstream: Upstream) -> None:
    async with Client(build(settings(upstream))) as client:
        found = (await client.call_tool("deep_research", {"question": "Why?"})).structured_content
        assert found is not None
        for form in FORMATS.values():
            (content,) = (await client.read_resource(f"research://{found['research_id']}/{form.suffix}")).contents
            assert content.mime_type == form.mime_type
            assert "https://example.com/a" in content.text  # type: ignore[union-attr]
    assert len(upstream.received) == 1, "reading sends nothing"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_tools_point_to_the_page_whoever_asks(upstream: Upstream, mode: str) -> None:
    async with Client(build(settings(upstream)), mode=mode) as client:
        tools = (await client.list_tools()).tools
        (uri,) = {tool.meta["ui"]["resourceUri"] for tool in tools if tool.meta}
        assert len([tool for tool in tools if tool.meta]) == 2
        (page,) = (await client.read_resource(uri)).contents
    assert page.mime_type == "text/html;profile=mcp-app"
    assert page.text == files("parallel_mcp.report").joinpath("page", "page.html").read_text("utf-8")  # type: ignore[union-attr]
    assert page.meta is not None
    assert page.meta["ui"]["csp"] == {}, "nothing is loaded from anywhere"


async def test_only_a_run_that_works_says_when_to_ask_again(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with Client(build(settings(upstream).model_copy(update={"wait_seconds": 0.05}))) as client:
        working = await client.call_tool("deep_research", {"question": "Why?", "model": "lite"})
        assert working.structured_content is not None and working.meta is not None
        waiting = working.meta["parallel-mcp/waiting"]
        assert waiting["usualFrom"] < waiting["usualTo"]
        assert waiting["pollSeconds"] > 0
        gate.set()
        while True:
            done = await client.call_tool("deep_research", {"research_id": working.structured_content["research_id"]})
            assert done.structured_content is not None
            if done.structured_content["status"] == "completed":
                break
    assert "parallel-mcp/waiting" not in (done.meta or {})


def test_a_format_is_known_by_one_name_and_one_suffix() -> None:
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)


async def test_json_reads_back_as_it_was(upstream: Upstream) -> None:
    async with Client(build(settings(upstream))) as client:
        found = (await client.call_tool("deep_research", {"question": "Why?"})).structured_content
        assert found is not None
        (content,) = (await client.read_resource(f"research://{found['research_id']}/json")).contents
    assert json.loads(content.text)["answer"]["citations"] == found["answer"]["citations"]  # type: ignore[union-attr]
