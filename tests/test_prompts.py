"""Prompts are listed, filled in and completed, and what they tell a model to do works."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PromptReference, TextContent

from parallel_mcp.prompts import comparison_schema
from parallel_mcp.schemas import lint
from parallel_mcp.server import build
from parallel_mcp.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client(build(Settings(sandbox=True, store="memory:", max_model="base")), mode=request.param) as client:
        yield client


async def _text(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user" and isinstance(message.content, TextContent)
    return message.content.text


async def test_each_prompt_says_what_it_is_for_and_what_it_needs(client: Client) -> None:
    listed = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    required = {name: [one.name for one in prompt.arguments or [] if one.required] for name, prompt in listed.items()}
    assert required == {"briefing": ["topic"], "fact_check": ["claim"], "compare": ["things", "criteria"]}
    for prompt in listed.values():
        assert prompt.title and prompt.description and all(one.description for one in prompt.arguments or [])


async def test_what_was_typed_stands_in_the_prompt_with_a_tool_that_exists(client: Client) -> None:
    tools = {tool.name for tool in (await client.list_tools()).tools}
    for text, words in (
        (await _text(client, "briefing", topic="heat pumps", audience="an engineer", model="lite"), "heat pumps"),
        (await _text(client, "fact_check", claim="Honey never spoils."), "Honey never spoils."),
        (await _text(client, "compare", things="uv, pip", criteria="speed"), "uv, pip"),
    ):
        assert words in text
        named = set(re.findall(r"[Cc]all (\w+_\w+)", text))
        assert named and named <= tools


async def test_the_comparison_that_the_prompt_asks_for_can_be_researched(client: Client) -> None:
    text = await _text(client, "compare", things="int, float", criteria="What it holds, Is it mutable?")
    (line,) = (line for line in text.splitlines() if line.startswith("{"))
    schema = json.loads(line)
    assert not lint(schema)
    result = await client.call_tool(
        "deep_research", {"question": "Compare int and float in Python.", "output_schema": schema}
    )
    assert not result.is_error, result.content
    answer = (result.structured_content or {})["answer"]
    assert isinstance(answer["data"]["rows"], list)


def test_criteria_of_any_letters_become_columns() -> None:
    row = comparison_schema(["Preis (€)", "速度", "???"])["properties"]["rows"]["items"]
    assert list(row["properties"]) == ["name", "preis", "速度", "criterion_3"] == row["required"]


async def test_arguments_are_completed_from_what_may_be_asked(client: Client) -> None:
    async def completed(prompt: str, name: str, typed: str) -> list[str]:
        ref = PromptReference(type="ref/prompt", name=prompt)
        return list((await client.complete(ref, {"name": name, "value": typed})).completion.values)

    assert await completed("briefing", "model", "") == ["lite", "base"], "core is above MAX_MODEL"
    assert await completed("briefing", "audience", "engin") == ["an engineer"]
    assert await completed("compare", "criteria", "licence")
    assert await completed("fact_check", "claim", "x") == []


@pytest.mark.parametrize(("name", "arguments"), [("none_such", {}), ("fact_check", {})])
async def test_an_unknown_prompt_and_a_missing_argument_are_refused(
    client: Client, name: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(MCPError) as refused:
        await client.get_prompt(name, arguments)
    assert refused.value.error.code == INVALID_PARAMS, refused.value.error
