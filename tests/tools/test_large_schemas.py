"""Schemas at Parallel's limit of 25,000 characters, made to take long: nobody else waits for them."""

import json
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from parallel_mcp.tools import arguments
from tests.support.clients import Connect, refused
from tests.support.upstream import Received, Upstream, completion

pytestmark = pytest.mark.anyio


def root(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


NESTED_UNIQUE = root(
    a={"type": "array", "uniqueItems": True, "items": {"type": "array", "uniqueItems": True}},
    b={"anyOf": [{"const": [number, {"n": number}]} for number in range(800)]},
)
SLOW = {
    "patterns": root(a={"anyOf": [{"pattern": rf"\w{{9}}{number}"} for number in range(1_000)]}),
    "forms": root(a={"anyOf": [{"minimum": number} for number in range(1_300)]}),
    "nested uniqueItems": NESTED_UNIQUE,
}


@pytest.mark.parametrize("kind", SLOW)
async def test_a_caller_who_comes_later_is_served_while_a_schema_is_checked(
    connect: Connect, upstream: Upstream, kind: str
) -> None:
    """On the event loop the schema would be checked to its end before the second call was even read."""
    async with connect() as client:

        async def call(question: str, **more: Any) -> None:
            assert not (await client.call_tool("deep_research", {"question": question, **more})).is_error

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: call("Slow?", output_schema=SLOW[kind]))
                group.start_soon(lambda: call("Quick?"))
    assert [received.body["messages"][0]["content"] for received in upstream.received] == ["Quick?", "Slow?"]


async def test_nested_unique_items_are_checked_on_the_answer(connect: Connect, upstream: Upstream) -> None:
    data = {"a": [[{"n": number}, {"n": number}] for number in range(10_000)], "b": [5, {"n": 5}]}

    async def reply(_: Received) -> Response:
        return JSONResponse(completion(json.dumps(data)))

    upstream.reply = reply
    async with connect() as client:
        result = await client.call_tool("deep_research", {"question": "Why?", "output_schema": NESTED_UNIQUE})
    warnings = " ".join(result.structured_content["answer"]["warnings"])
    assert "a.0: has the same item twice" in warnings


async def test_what_is_wrong_with_a_large_schema_is_said_in_the_same_words(connect: Connect) -> None:
    wrong = root(**SLOW["patterns"]["properties"], b={"type": "strng"})
    assert len(json.dumps(wrong)) > arguments.SMALL_SCHEMA_CHARS
    async with connect() as client:
        assert "#/properties/b/type" in await refused(client, "web_answer", question="Why?", output_schema=wrong)


async def test_a_schema_that_cannot_be_checked_in_time_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    monkeypatch.setattr(arguments, "LINT_SECONDS", 0)
    async with connect() as client:
        said = await refused(client, "web_answer", question="Why?", output_schema=SLOW["patterns"])
    assert "make it simpler" in said
    assert upstream.received == []
