"""`web_answer`: its result, and its progress."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp import Client
from starlette.responses import JSONResponse, Response

from parallel_mcp import http
from tests.support.clients import SOON, Connect, Progress, refused, settings_for, structured, text_of
from tests.support.upstream import Received, Upstream, chunk, completion, events, serving

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}


def replying(upstream: Upstream, content: str, **more: Any) -> None:
    async def reply(_: Received) -> Response:
        return JSONResponse(completion(content, **more))

    upstream.reply = reply


async def test_an_answer_stands_whole_in_each_channel(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
        answer = await structured(client, "web_answer", result)
    assert (answer["content"], answer["model"], answer["interaction_id"]) == ("An answer to: Why?", "speed", "i-1")
    assert (answer["cost_usd"], answer["reused"], answer["data"]) == (0.005, False, None)
    assert answer["citations"] == [{"number": 1, "url": "https://example.com/a", "title": None, "excerpts": []}]
    text = text_of(result)
    assert text.startswith("An answer to: Why?")
    assert "Sources:\n[1] https://example.com/a" in text
    assert "follow_up_to='i-1'" in text


async def test_both_channels_say_that_the_model_named_the_sources(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
    assert any("named by the model" in warning for warning in result.structured_content["warnings"])
    assert "named by the model" in text_of(result)


async def test_only_http_and_https_sources_are_taken(connect: Connect, upstream: Upstream) -> None:
    urls = ["javascript:alert(1)", "file:///etc/passwd", "http://example.com/b", "example.com", "https://example.com/c"]
    replying(upstream, json.dumps({"answer": "So.", "citations": urls}))
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
    cited = [citation["url"] for citation in result.structured_content["citations"]]
    assert cited == ["http://example.com/b", "https://example.com/c"]


async def test_plain_text_in_place_of_json_is_simply_the_answer(connect: Connect, upstream: Upstream) -> None:
    replying(upstream, "Because it is so.")
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
        answer = await structured(client, "web_answer", result)
    assert (answer["content"], answer["citations"], answer["warnings"]) == ("Because it is so.", [], [])


async def test_a_setting_turns_the_naming_of_sources_off(connect: Connect, upstream: Upstream) -> None:
    async with connect(answer_citations=False) as client:
        result = await client.call_tool("web_answer", {"question": "Why?"})
    assert "response_format" not in upstream.received[0].body
    assert result.structured_content["citations"] == []


async def test_the_arguments_go_out_as_the_chat_api_has_them(connect: Connect, upstream: Upstream) -> None:
    replying(upstream, '{"reason": "It is so."}')
    arguments = {"question": "Why?", "instructions": "Be brief.", "output_schema": SCHEMA, "follow_up_to": "i-0"}
    async with connect() as client:
        await client.call_tool("web_answer", arguments)
    body = upstream.received[0].body
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    sent = body["response_format"]["json_schema"]["schema"]
    assert list(sent["properties"]) == [*SCHEMA["properties"], "citations"]
    assert (body["model"], body["previous_interaction_id"]) == ("speed", "i-0")


async def test_with_a_schema_content_is_json_text_and_data_its_value(connect: Connect, upstream: Upstream) -> None:
    basis = [{"field": "reason", "reasoning": "Said there.", "confidence": "low", "citations": []}]
    replying(upstream, '```json\n{"reason": "It is so."}\n```', basis=basis)
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?", "output_schema": SCHEMA})
        answer = await structured(client, "web_answer", result)
    assert answer["data"] == {"reason": "It is so."}
    assert json.loads(answer["content"]) == answer["data"]
    assert [entry["field"] for entry in answer["basis"]] == ["reason"]
    assert "Confidence: low." in text_of(result)


async def test_data_that_does_not_fit_the_schema_is_warned_about_in_both_channels(
    connect: Connect, upstream: Upstream
) -> None:
    replying(upstream, '{"reason": 5}')
    async with connect() as client:
        result = await client.call_tool("web_answer", {"question": "Why?", "output_schema": SCHEMA})
    assert "does not fit output_schema" in " ".join(result.structured_content["warnings"])
    assert "does not fit output_schema" in text_of(result)


async def test_fifty_at_once_are_one_request(connect: Connect, upstream: Upstream) -> None:
    gate = upstream.hold()
    reused: list[bool] = []

    async with connect() as client:

        async def call() -> None:
            result = await client.call_tool("web_answer", {"question": "Why?"})
            reused.append(result.structured_content["reused"])

        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(call)
            await upstream.requests(1)
            # All have arrived once the server answers a later request.
            await client.list_tools(cache_mode="bypass")
            gate.set()
    assert len(upstream.received) == 1
    assert not any(reused), "it is the first delivery for each of them"


async def test_progress_shows_the_words_and_no_json(connect: Connect, upstream: Upstream) -> None:
    more = anyio.Event()
    first, second = chunk('{"answer": "Because it'), chunk(' is so.", "citations": []}')

    async def slowly(_: Received) -> Response:
        async def lines() -> AsyncIterator[str]:
            yield f"data: {first}\n\n"
            await more.wait()
            yield f"data: {second}\n\ndata: [DONE]\n\n"

        response = events()
        response.body_iterator = lines()  # type: ignore[attr-defined]
        return response

    upstream.reply = slowly
    progress = Progress()
    async with connect() as client, anyio.create_task_group() as group:
        group.start_soon(lambda: client.call_tool("web_answer", {"question": "Why?"}, progress_callback=progress))
        await progress.until(lambda self: "Because it" in self.messages)
        more.set()
    assert not any("{" in message for message in progress.messages)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 422])
async def test_an_upstream_failure_is_an_error_in_text_only(connect: Connect, upstream: Upstream, status: int) -> None:
    async def refuse(_: Received) -> Response:
        return JSONResponse({"error": {"message": "No.", "ref_id": "ref-1"}}, status_code=status)

    upstream.reply = refuse
    async with connect() as client:
        text = await refused(client, "web_answer", question="Why?")
    assert f"HTTP {status}" in text
    assert "ref-1" in text


@pytest.mark.parametrize("leg", ["auto", "legacy"])
async def test_over_http_a_call_that_is_dropped_closes_its_request(upstream: Upstream, leg: str) -> None:
    upstream.hold()
    async with serving(http.application(settings_for(upstream))) as url:
        # The stateless legacy leg cannot receive a cancellation, so the connection is dropped there.
        async with anyio.create_task_group() as group:

            async def call() -> None:
                async with Client(f"{url}/mcp", mode=leg) as client:
                    await client.call_tool("web_answer", {"question": "Why?"})

            group.start_soon(call)
            await upstream.requests(1)
            group.cancel_scope.cancel()
        await upstream.until(lambda self: self.closed == 1, SOON)
