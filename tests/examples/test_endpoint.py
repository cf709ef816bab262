"""The scripted model's endpoint, read by OpenAI's own client."""

import json
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessage, ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam, Response

from evals.endpoint import Conversation, Endpoint, Turn
from parallel_mcp import sandbox

PARAMETERS: dict[str, object] = {"type": "object", "properties": {"question": {"type": "string"}}}


def _model(shown: Conversation) -> Turn:
    """Calls the tool once, then says what it was shown."""
    asked = shown.said[0].text
    if shown.results:
        return Turn(text=f"{shown.system}, {asked}: {shown.results[-1]}")
    return Turn(tool=shown.tool("look_up"), arguments={"question": asked})


@pytest.fixture
async def openai() -> AsyncIterator[AsyncOpenAI]:
    async with sandbox.serving(Endpoint(_model).app) as url, AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_completions(openai: AsyncOpenAI, stream: bool) -> None:
    tools: list[ChatCompletionToolParam] = [
        {"type": "function", "function": {"name": "server_look_up", "parameters": PARAMETERS}}
    ]
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Why?"},
    ]
    for expected in (None, "Be brief, Why?: Because."):
        message: ChatCompletionMessage
        if stream:
            async with openai.chat.completions.stream(model="m", messages=messages, tools=tools) as events:
                message = (await events.get_final_completion()).choices[0].message
        else:
            message = (
                (await openai.chat.completions.create(model="m", messages=messages, tools=tools)).choices[0].message
            )
        assert message.content == expected
        for call in message.tool_calls or ():
            assert call.type == "function"
            assert (call.function.name, json.loads(call.function.arguments)) == ("server_look_up", {"question": "Why?"})
            messages += [
                {"role": "assistant", "tool_calls": [call.to_dict()]},  # type: ignore[list-item]
                {"role": "tool", "tool_call_id": call.id, "content": "Because."},
            ]
    assert len(messages) == 4


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_that_go_on_from_an_earlier_one(openai: AsyncOpenAI, stream: bool) -> None:
    tools: list[FunctionToolParam] = [
        {"type": "function", "name": "look_up", "parameters": PARAMETERS, "strict": False}
    ]
    first: Response
    if stream:
        async with openai.responses.stream(model="m", input="Why?", instructions="Be brief", tools=tools) as events:
            first = await events.get_final_response()
    else:
        first = await openai.responses.create(model="m", input="Why?", instructions="Be brief", tools=tools)
    (call,) = first.output
    assert (
        call.type == "function_call" and call.name == "look_up" and json.loads(call.arguments) == {"question": "Why?"}
    )
    second = await openai.responses.create(
        model="m",
        previous_response_id=first.id,
        instructions="Be brief",
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "Because."}],
    )
    assert second.output_text == "Be brief, Why?: Because."
