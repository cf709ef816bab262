"""Server-sent events, as a client reassembles them."""

import json
from typing import Any

import pytest

from parallel_mcp.sandbox import SandboxOptions
from tests.support.sandboxes import QUESTION, Caller, Start

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "citations": {"type": "array"}}}
FORMS: list[Any] = [
    None,
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
]


async def events(sandbox: Caller, question: str = QUESTION, **body: Any) -> list[str]:
    text = (await sandbox.chat(question, stream=True, **body)).text
    assert text.endswith("\n\n")
    return [event.removeprefix("data: ") for event in text.removesuffix("\n\n").split("\n\n")]


@pytest.mark.parametrize("form", FORMS, ids=["text", "json_object", "json_schema"])
@pytest.mark.parametrize("model", ["speed", "lite", "base", "core"])
async def test_deltas_concatenate_to_the_content_that_is_not_streamed(sandbox: Caller, model: str, form: Any) -> None:
    whole = (await sandbox.chat(model=model, response_format=form)).json()
    *chunks, done = await events(sandbox, model=model, response_format=form)
    assert done == "[DONE]"
    said = "".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert said == whole["choices"][0]["message"]["content"]
    assert json.loads(chunks[-1])["basis"] == whole["basis"]


async def test_stream_opens_with_the_role_and_ends_with_a_choice_the_basis_and_the_interaction(sandbox: Caller) -> None:
    chunks = [json.loads(event) for event in (await events(sandbox))[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(chunk["object"] == chunk["type"] == "chat.completion.chunk" for chunk in chunks)
    assert all(chunk["basis"] == [] and chunk["interaction_id"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"][0]["delta"] == {}
    assert chunks[-1]["basis"]
    assert chunks[-1]["interaction_id"]


async def test_speed_speaks_in_words_and_research_in_few_deltas(sandbox: Caller) -> None:
    assert len(await events(sandbox, model="speed")) > 20
    assert len(await events(sandbox, model="core")) < 10


async def test_done_can_be_left_out(start: Start) -> None:
    async with start(SandboxOptions(done=False)) as sandbox:
        assert "[DONE]" not in await events(sandbox)


async def test_follow_up_to_a_streamed_answer_is_known(sandbox: Caller) -> None:
    last = json.loads((await events(sandbox))[-2])
    after = await sandbox.chat("When is the exit method called?", previous_interaction_id=last["interaction_id"])
    earlier = {cited["url"] for cited in last["basis"][0]["citations"]}
    assert {cited["url"] for cited in after.json()["basis"][0]["citations"]} <= earlier


async def test_stream_that_is_refused_is_refused_before_it_begins(sandbox: Caller) -> None:
    refused = await sandbox.chat(stream=True, model="x")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/json"
