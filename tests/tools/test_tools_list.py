"""What a host reads before the first call. People review the snapshot when it changes."""

import json
from pathlib import Path
from typing import Any

import pytest
from bpe_openai import get_encoding

from tests.support.clients import Connect
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

SNAPSHOT = Path(__file__).with_name("tools_list.json")
MAX_BYTES = 4_800
MAX_TOKENS = 1_300


async def _listed(connect: Connect) -> list[dict[str, Any]]:
    async with connect() as client:
        listed = (await client.list_tools()).tools
    tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
    return tools


async def test_the_tools_are_as_they_were_reviewed(connect: Connect) -> None:
    assert await _listed(connect) == json.loads(SNAPSHOT.read_text("utf-8"))


@pytest.mark.parametrize("most", ["lite", "base", "core"])
async def test_the_whole_list_costs_no_more_than_it_may(connect: Connect, most: str) -> None:
    async with connect(max_model=most) as client:
        listed = await client.list_tools()
    line = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert len(line.encode()) <= MAX_BYTES
    assert len(get_encoding("o200k_base").encode(line)) <= MAX_TOKENS


async def test_only_models_that_are_allowed_are_offered_and_the_default_is_among_them(connect: Connect) -> None:
    offered = {}
    for most in ("lite", "base", "core"):
        async with connect(max_model=most) as client:
            model = (await client.list_tools()).tools[1].input_schema["properties"]["model"]
        offered[most] = (model["enum"], model["default"])
    assert offered == {
        "lite": (["lite"], "lite"),
        "base": (["lite", "base"], "base"),
        "core": (["lite", "base", "core"], "base"),
    }


@pytest.mark.parametrize(("default", "most"), [("lite", "base"), ("core", "core"), ("base", "base")])
async def test_a_default_that_is_set_is_the_one_that_is_offered_and_used(
    connect: Connect, upstream: Upstream, default: str, most: str
) -> None:
    async with connect(max_model=most, default_model=default) as client:
        model = (await client.list_tools()).tools[1].input_schema["properties"]["model"]
        await client.call_tool("deep_research", {"question": "Why?"})
    assert model["default"] == default
    assert default in model["enum"]
    assert upstream.received[0].body["model"] == default


async def test_web_answer_can_be_asked_of_lite(connect: Connect, upstream: Upstream) -> None:
    async with connect(answer_model="lite") as client:
        await client.call_tool("web_answer", {"question": "Why?"})
    assert upstream.received[0].body["model"] == "lite"


async def test_there_are_exactly_two_tools_with_titles_and_annotations(connect: Connect) -> None:
    tools = await _listed(connect)
    assert [tool["name"] for tool in tools] == ["web_answer", "deep_research"]
    assert [tool["title"] for tool in tools] == ["Web answer", "Deep research"]
    assert {json.dumps(tool["annotations"]) for tool in tools} == {'{"readOnlyHint": true}'}


@pytest.mark.parametrize("what", ["tools", "resources", "resource_templates", "prompts"])
async def test_lists_are_the_same_to_the_byte_from_call_to_call(connect: Connect, what: str) -> None:
    lists = []
    async with connect() as client:
        await client.call_tool("web_answer", {"question": "Why?"})
        for _ in range(2):
            listed = await getattr(client, f"list_{what}")(cache_mode="bypass")
            lists.append(listed.model_dump_json(by_alias=True))
    async with connect() as client:
        listed = await getattr(client, f"list_{what}")()
        lists.append(listed.model_dump_json(by_alias=True))
    assert len(set(lists)) == 1


async def test_every_argument_is_as_the_design_has_it(connect: Connect) -> None:
    web, deep = (tool["inputSchema"] for tool in await _listed(connect))
    assert list(web["properties"]) == ["question", "instructions", "output_schema", "follow_up_to"]
    assert web["required"] == ["question"]
    common = ["question", "model", "instructions", "output_schema", "follow_up_to"]
    assert list(deep["properties"]) == [*common, "fresh", "research_id", "cancel"]
    assert "required" not in deep
    assert deep["properties"]["model"]["default"] == "base"


async def test_hosts_that_are_strict_accept_the_schemas(connect: Connect) -> None:
    for tool in await _listed(connect):
        arguments, result = tool["inputSchema"], tool["outputSchema"]
        assert not {"anyOf", "oneOf", "allOf"} & set(arguments)
        assert "$ref" not in json.dumps(tool)
        optional = [
            argument for name, argument in arguments["properties"].items() if name not in arguments.get("required", ())
        ]
        assert all(argument["nullable"] is True for argument in optional)
        assert not any("anyOf" in argument for argument in arguments["properties"].values())
        assert result["required"] == list(result["properties"]), "what may be null is always present"
