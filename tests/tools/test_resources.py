"""Resources: a caller's history and every complete research run. Reading sends nothing."""

import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.support.clients import Connect
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


async def read(client: Client, uri: str) -> str:
    text: str = (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]
    return text


async def ask(client: Client, question: str) -> dict[str, Any]:
    found = (await client.call_tool("deep_research", {"question": question})).structured_content
    assert found is not None
    return dict(found)


async def test_the_history_is_newest_first_and_paged(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        asked = [(await ask(client, f"Why {number}?"))["research_id"] for number in range(51)]
        first = json.loads(await read(client, "research://"))
        assert first["next"] == f"research://?before={asked[1]}"
        second = json.loads(await read(client, first["next"]))
    listed = [row["research_id"] for row in first["research"] + second["research"]]
    assert listed == asked[::-1]
    assert second["next"] is None


async def test_an_empty_before_is_the_first_page(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        found = await ask(client, "Why?")
        page = json.loads(await read(client, "research://?before="))
    assert [row["research_id"] for row in page["research"]] == [found["research_id"]]


async def test_a_research_is_read_whole_as_markdown_and_as_json(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        found = await ask(client, "Why?")
        whole = json.loads(await read(client, f"research://{found['research_id']}/json"))
        markdown = await read(client, f"research://{found['research_id']}/md")
    found["answer"]["reused"] = True
    assert whole == found
    assert markdown.startswith("# Why?")
    assert "An answer to: Why?" in markdown
    assert "- \\[1\\] [A](<https://example.com/a>)\n  > It is so." in markdown


async def test_reading_sends_nothing(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        found = await ask(client, "Why?")
        for uri in ("research://", f"research://{found['research_id']}/md", f"research://{found['research_id']}/json"):
            await read(client, uri)
    assert len(upstream.received) == 1


async def test_an_unknown_research_is_no_resource(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        with pytest.raises(MCPError) as caught:
            await read(client, "research://unknown/md")
    assert "pydantic" not in caught.value.error.message
    assert caught.value.error.code in (-32602, -32002)
