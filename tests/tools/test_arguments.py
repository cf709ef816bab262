"""Wrong arguments are refused in our own words, which name the argument, and nothing is sent."""

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from parallel_mcp.errors import SchemaRefused
from parallel_mcp.models import Model
from parallel_mcp.tools.arguments import question_of
from tests.support.clients import Connect, refused, structured
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("web_answer", {}, "question is missing"),
    ("web_answer", {"question": ""}, "question"),
    ("web_answer", {"question": "  "}, "question is missing"),
    ("web_answer", {"question": ["Why?"]}, "question must be a string"),
    ("web_answer", {"question": "x" * 20_001}, "question"),
    ("web_answer", {"question": "Why?", "model": "core"}, "model is unknown"),
    ("web_answer", {"question": "Why?", "output_schema": "no JSON"}, "output_schema"),
    ("web_answer", {"question": "Why?", "output_schema": {"type": "array"}}, "output_schema"),
    ("deep_research", {}, "question or research_id"),
    ("deep_research", {"question": ""}, "question or research_id"),
    ("deep_research", {"question": "Why?", "cancel": True}, "cancel needs research_id"),
    ("deep_research", {"cancel": True}, "cancel needs research_id"),
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


SCHEMA = {"type": "object", "properties": {"reason": {"type": "string"}}}

OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"question": "Why not?"}, "leave out question"),
    ({"model": "core"}, "leave out model"),
    ({"instructions": "Be brief."}, "leave out instructions"),
    ({"output_schema": SCHEMA}, "leave out output_schema"),
    ({"follow_up_to": "i-1"}, "leave out follow_up_to"),
    ({"fresh": True}, "leave out fresh"),
]


@pytest.mark.parametrize(("others", "said"), OTHERS, ids=lambda item: str(item)[:60])
async def test_an_id_with_another_question_is_refused(
    connect: Connect, upstream: Upstream, others: dict[str, Any], said: str
) -> None:
    async with connect() as client:
        run = await structured(client, "deep_research", await client.call_tool("deep_research", {"question": "Why?"}))
        assert said in await refused(client, "deep_research", research_id=run["research_id"], **others)
    assert len(upstream.received) == 1


NOTHING = (None, "", "  ", "null", "None")


@pytest.mark.parametrize("nothing", NOTHING)
async def test_models_that_fill_in_every_argument_are_understood(
    connect: Connect, upstream: Upstream, nothing: str | None
) -> None:
    optional = ("model", "instructions", "output_schema", "follow_up_to", "fresh", "research_id", "cancel")
    async with connect() as client:
        result = await client.call_tool("deep_research", {"question": " Why? ", **dict.fromkeys(optional, nothing)})
        run = await structured(client, "deep_research", result)
        for named in (run["research_id"], f" '{run['research_id']}' ", f"research://{run['research_id']}/md"):
            again: dict[str, Any] = {
                "question": "Why?",
                "model": "base",
                "fresh": False,
                "output_schema": {},
                "research_id": named,
            }
            assert not (await client.call_tool("deep_research", again)).is_error
    body = upstream.received[0].body
    assert (body["model"], body["messages"]) == ("base", [{"role": "user", "content": "Why?"}])
    assert "response_format" not in body
    assert len(upstream.received) == 1


ADDED_BY_HOSTS = {"toolCallId": "c-1", "_sessionID": "s-1", "_meta": {}, "tool_call_id": "c-1", "session_id": 5}


async def test_what_hosts_add_for_themselves_is_passed_over(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        for tool in ("web_answer", "deep_research"):
            assert not (await client.call_tool(tool, {"question": 42, **ADDED_BY_HOSTS})).is_error
        assert "research_ids is unknown" in await refused(client, "deep_research", research_ids="r")
    assert [received.body["messages"][0]["content"] for received in upstream.received] == ["42", "42"]


@pytest.mark.parametrize("name", ["Base", " BASE ", "'base'"])
async def test_a_model_is_known_in_any_spelling(connect: Connect, upstream: Upstream, name: str) -> None:
    async with connect() as client:
        assert not (await client.call_tool("deep_research", {"question": "Why?", "model": name})).is_error
    assert upstream.received[0].body["model"] == "base"


WRAPPED: list[Any] = [
    json.dumps(SCHEMA),
    json.dumps(json.dumps(SCHEMA)),
    {"type": "json_schema", "json_schema": {"name": "reason", "strict": True, "schema": SCHEMA}},
    {"type": "json", "json_schema": SCHEMA},
    {"name": "reason", "schema": SCHEMA},
    {"schema": json.dumps(SCHEMA)},
    {"$ref": "#/$defs/Reason", "$defs": {"Reason": SCHEMA}},
]


@pytest.mark.parametrize("given", WRAPPED, ids=lambda given: str(given)[:50])
async def test_a_schema_is_understood_in_any_wrapping(connect: Connect, upstream: Upstream, given: Any) -> None:
    async with connect() as client:
        assert not (await client.call_tool("deep_research", {"question": "Why?", "output_schema": given})).is_error
    sent = upstream.received[0].body["response_format"]["json_schema"]["schema"]
    assert {key: sent[key] for key in SCHEMA} == SCHEMA


async def test_nullable_in_a_schema_is_null(connect: Connect, upstream: Upstream) -> None:
    nullable = {"type": "object", "properties": {"nullable": {"type": "string", "nullable": True}}}
    async with connect() as client:
        await client.call_tool("deep_research", {"question": "Why?", "output_schema": nullable})
    sent = upstream.received[0].body["response_format"]["json_schema"]["schema"]
    assert sent["properties"] == {"nullable": {"type": ["string", "null"]}}


async def test_a_flood_of_arguments_is_refused_in_a_few_words(connect: Connect, upstream: Upstream) -> None:
    flood = {f"argument_{number}x": number for number in range(110_000)}
    async with connect() as client:
        text = await refused(client, "web_answer", question="Why?", **flood)
        huge = await refused(client, "web_answer", question="Why?", output_schema="[" * 1_000_000)
    assert len(text) < 1_000
    assert "output_schema is 1,000,000 characters" in huge
    assert upstream.received == []


async def test_nothing_is_looked_at_before_the_caller_is_known(connect: Connect, upstream: Upstream) -> None:
    async with connect(api_key=None) as client:
        assert "PARALLEL_API_KEY" in await refused(client, "web_answer", output_schema="[" * 1_000_000)


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


@pytest.mark.parametrize("levels", [300, 900, 3_000])
async def test_a_schema_too_deep_for_a_process_is_refused(levels: int) -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": "a"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    with pytest.raises(SchemaRefused, match="levels of nesting"):
        await question_of("Why?", Model.LITE, None, schema, None)
