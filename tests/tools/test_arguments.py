"""The tools, "wrong combinations name the argument": refused in our own words, and nothing is sent."""

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.support.clients import Connect, refused, structured
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("web_answer", {}, "question is missing"),
    ("web_answer", {"question": ""}, "question"),
    ("web_answer", {"question": "  "}, "question is empty"),
    ("web_answer", {"question": 5}, "question"),
    ("web_answer", {"question": "x" * 20_001}, "question"),
    ("web_answer", {"question": "Why?", "model": "core"}, "model is unknown"),
    ("web_answer", {"question": "Why?", "output_schema": "no JSON"}, "output_schema"),
    ("web_answer", {"question": "Why?", "output_schema": {"type": "array"}}, "output_schema"),
    ("deep_research", {}, "question or research_id"),
    ("deep_research", {"question": ""}, "question or research_id"),
    ("deep_research", {"question": "Why?", "research_id": "r"}, "leave out question"),
    ("deep_research", {"research_id": "r", "model": "core"}, "leave out model"),
    ("deep_research", {"research_id": "r", "instructions": "Be brief."}, "leave out instructions"),
    ("deep_research", {"research_id": "r", "output_schema": {"type": "object"}}, "leave out output_schema"),
    ("deep_research", {"research_id": "r", "follow_up_to": "i-1"}, "leave out follow_up_to"),
    ("deep_research", {"research_id": "r", "fresh": True}, "leave out fresh"),
    ("deep_research", {"question": "Why?", "cancel": True}, "cancel goes with research_id"),
    ("deep_research", {"cancel": True}, "cancel goes with research_id"),
    ("deep_research", {"question": "Why?", "model": "speed"}, "model"),
    ("deep_research", {"question": "Why?", "model": "mega"}, "model"),
    ("deep_research", {"question": "Why?", "fresh": "perhaps"}, "fresh"),
    ("deep_research", {"question": "Why?", "wait": 5}, "wait is unknown"),
    ("deep_research", {"research_id": "r" * 101}, "research_id"),
    ("deep_research", {"research_id": "no such"}, "'no such'"),
    ("deep_research", {"research_id": "no such", "cancel": True}, "'no such'"),
]


@pytest.mark.parametrize(("tool", "arguments", "said"), WRONG, ids=lambda item: str(item)[:60])
async def test_a_wrong_call_is_told_which_argument_is_wrong(
    connect: Connect, upstream: Upstream, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with connect() as client:
        assert said in await refused(client, tool, **arguments)
    assert upstream.received == []


async def test_a_refusal_names_the_arguments_that_are_known(connect: Connect) -> None:
    async with connect() as client:
        text = await refused(client, "web_answer", question="Why?", querry="Why?")
    assert text.endswith("Known arguments: question, instructions, output_schema, follow_up_to.")


async def test_an_unknown_tool_is_a_protocol_error(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("web_search", {"question": "Why?"})
    assert caught.value.error.code == -32602
    assert "Known tools: deep_research, web_answer" in caught.value.error.message


FILLED_IN: list[dict[str, Any]] = [
    {"question": "Why?", "research_id": "", "instructions": "", "follow_up_to": "", "cancel": False, "fresh": False},
    {"question": "Why?", "research_id": None, "instructions": None, "output_schema": None, "follow_up_to": None},
    {"question": "Why?", "model": None, "fresh": None, "cancel": None},
    {"question": " Why? ", "instructions": "  ", "output_schema": ""},
]


@pytest.mark.parametrize("arguments", FILLED_IN)
async def test_models_that_fill_in_every_argument_are_understood(
    connect: Connect, upstream: Upstream, arguments: dict[str, Any]
) -> None:
    async with connect() as client:
        result = await client.call_tool("deep_research", arguments)
        research = await structured(client, "deep_research", result)
        again = {"question": "", "model": "base", "fresh": False, "research_id": research["research_id"]}
        assert not (await client.call_tool("deep_research", again)).is_error
    body = upstream.received[0].body
    assert (body["model"], body["messages"]) == ("base", [{"role": "user", "content": "Why?"}])
    assert "response_format" not in body


async def test_a_schema_that_a_host_sends_as_json_text_is_understood(connect: Connect, upstream: Upstream) -> None:
    schema = {"type": "object", "properties": {"reason": {"type": "string"}}}
    async with connect() as client:
        await client.call_tool("deep_research", {"question": "Why?", "output_schema": json.dumps(schema)})
    assert upstream.received[0].body["response_format"]["json_schema"]["schema"] == schema


async def test_a_model_above_the_largest_that_is_allowed_is_refused_by_name(
    connect: Connect, upstream: Upstream
) -> None:
    async with connect(max_model="base") as client:
        text = await refused(client, "deep_research", question="Why?", model="core")
        assert "PARALLEL_MCP_MAX_MODEL" in text
        assert not (await client.call_tool("deep_research", {"question": "Why?", "model": "lite"})).is_error


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_without_a_key_a_call_says_how_to_set_it(connect: Connect, upstream: Upstream, tool: str) -> None:
    async with connect(api_key=None) as client:
        assert len((await client.list_tools()).tools) == 2
        text = await refused(client, tool, question="Why?")
    assert "PARALLEL_API_KEY" in text
    assert "--sandbox" in text
    assert upstream.received == []
