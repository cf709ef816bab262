"""Answers are read and checked off the loop: a hostile schema or body blocks nobody else, and always ends."""

import json
from typing import Any

import anyio
import pytest

from parallel_mcp import chat, errors, schemas
from parallel_mcp.chat.answer import UNCHECKED
from parallel_mcp.client.understanding import understand
from parallel_mcp.models import Answer, Question

pytestmark = pytest.mark.anyio

NAMES = [f"n{number}" for number in range(3_000)]
SLOW = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"anyOf": [{"required": NAMES}, {"type": "string"}]}}},
}
VALUE: dict[str, Any] = {"a": [{} for _ in range(20_000)]}


async def understood(content: str, schema: dict[str, Any] | None, deadline: float) -> Answer:
    reading = chat.Reading()
    reading.feed(json.dumps({"choices": [{"message": {"content": content}}]}).encode())
    question = Question(text="Why?", model="base", output_schema=schema)
    answer = await understand(
        question, reading, broken=False, answer_citations=True, cost_usd=0.01, seconds=1.0, deadline=deadline
    )
    assert answer is not None
    return answer


async def test_an_answer_is_checked_in_a_process() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    answer = await understood('{"n": "x"}', schema, 60)
    assert answer.data == {"n": "x"}
    assert answer.warnings == ('The answer does not fit output_schema: n: expected an integer, not "x"',)


async def test_a_check_that_takes_too_long_is_ended_and_the_answer_given_unchecked() -> None:
    """With no time at all, every check takes too long."""
    schemas.lint(SLOW)
    answer = await understood(json.dumps(VALUE), SLOW, 0)
    assert answer.data == VALUE
    assert answer.warnings == (UNCHECKED,)


@pytest.mark.parametrize(
    ("content", "schema"), [('{"n": 1}', {"type": "object"}), ("so" * 300_000, None)], ids=["schema", "large"]
)
async def test_an_answer_that_has_arrived_is_not_lost_to_a_cancellation(content: str, schema: dict[str, Any]) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        answer = await understood(content, schema, 60)
    assert answer.content == content


async def test_a_schema_that_took_half_a_minute_is_checked_while_others_go_on() -> None:
    turns = 0
    answers: list[Answer] = []

    async def others() -> None:
        nonlocal turns
        while not answers:
            turns += 1
            await anyio.sleep(0.001)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            group.start_soon(others)
            answers.append(await understood(json.dumps(VALUE), SLOW, 90))
    assert turns > 10
    assert len(answers[0].warnings) == 1
    assert answers[0].warnings[0].startswith("The answer does not fit output_schema: a.0: lacks")


async def test_a_large_refusal_is_raised_from_the_process_that_read_it() -> None:
    reading = chat.Reading()
    reading.feed(json.dumps({"error": {"message": "overloaded", "ref_id": "r-1"}, "x": "x" * 600_000}).encode())
    question = Question(text="Why?", model="base")
    with pytest.raises(errors.ServiceFailed, match=r"overloaded.*r-1"):
        await understand(question, reading, broken=False, answer_citations=True, cost_usd=0.01, seconds=1.0)


async def test_a_large_body_is_read_in_a_process() -> None:
    content = '{"a": "' * 100_000 + "[1] so"
    answer = await understood(content, None, 60)
    assert answer.content == content
