"""Schemas at Parallel's limit of 25,000 characters, made to take long: nobody else waits for them."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.to_process import current_default_process_limiter
from starlette.responses import JSONResponse, Response

from parallel_mcp.client import understanding
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


WRONG = root(**SLOW["patterns"]["properties"], b={"type": "strng"})


@asynccontextmanager
async def all_of(*limiters: anyio.CapacityLimiter) -> AsyncIterator[None]:
    """Inside the block, others have all the slots."""
    async with AsyncExitStack() as held:
        for limiter in limiters:
            for _ in range(int(limiter.total_tokens)):
                borrower = object()
                await limiter.acquire_on_behalf_of(borrower)
                held.callback(limiter.release_on_behalf_of, borrower)
        yield


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
    assert len(json.dumps(WRONG)) > arguments.SMALL_SCHEMA_CHARS
    async with connect() as client:
        assert "#/properties/b/type" in await refused(client, "web_answer", question="Why?", output_schema=WRONG)


async def test_the_wait_for_other_checks_does_not_count_against_the_deadline(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time at all, a check would fail at once if it counted while it waits."""
    monkeypatch.setattr(arguments, "LINT_SECONDS", 0)
    said: list[str] = []

    async def call() -> None:
        said.append(await refused(client, "web_answer", question="Why?", output_schema=SLOW["patterns"]))

    async with connect() as client, anyio.create_task_group() as group, all_of(arguments.LINT_SLOTS):
        group.start_soon(call)
        with anyio.fail_after(10):
            while not arguments.LINT_SLOTS.statistics().tasks_waiting and not said:
                await anyio.sleep(0.01)
        assert said == []
    assert "make it simpler" in said[0]


async def test_a_schema_is_checked_though_every_process_for_answers_is_busy(connect: Connect) -> None:
    async with connect() as client, all_of(understanding.SLOTS, current_default_process_limiter()):
        with anyio.fail_after(20):
            assert "#/properties/b/type" in await refused(client, "web_answer", question="Why?", output_schema=WRONG)


async def test_an_answer_is_checked_though_every_process_for_schemas_is_busy(
    connect: Connect, upstream: Upstream
) -> None:
    async def reply(_: Received) -> Response:
        return JSONResponse(completion('{"n": "x"}'))

    upstream.reply = reply
    schema = root(n={"type": "integer"})
    async with connect() as client, all_of(arguments.LINT_SLOTS, current_default_process_limiter()):
        with anyio.fail_after(20):
            result = await client.call_tool("web_answer", {"question": "Why?", "output_schema": schema})
    assert "expected an integer" in " ".join(result.structured_content["warnings"])


async def test_a_schema_that_cannot_be_checked_in_time_is_refused(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    monkeypatch.setattr(arguments, "LINT_SECONDS", 0)
    async with connect() as client:
        said = await refused(client, "web_answer", question="Why?", output_schema=SLOW["patterns"])
    assert "make it simpler" in said
    assert upstream.received == []
