"""What is said around an answer: how sure it is, whether it was given before, and how long it has been worked on."""

from typing import Any, cast

import anyio
import pytest
from mcp_types import CallToolResult

from parallel_mcp.models import Basis, Confidence
from parallel_mcp.tools.progress import Reporter
from tests.support.clients import Connect, Progress, structured, text_of
from tests.support.upstream import Upstream
from tests.tools.test_results import answer_of, result_of, row_of

pytestmark = pytest.mark.anyio


def basis(*levels: Confidence | None) -> tuple[Basis, ...]:
    return tuple(Basis(field=f"f{n}", reasoning="", confidence=level, citations=(1,)) for n, level in enumerate(levels))


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_confidence_is_always_stated_not_only_when_it_is_low(level: Confidence) -> None:
    assert f"Confidence: {level}." in text_of(result_of(row_of(answer_of("So.", basis=basis(level)))))


def test_where_no_confidence_came_that_is_said() -> None:
    assert "Confidence: not stated." in text_of(result_of(row_of(answer_of("So.", basis=basis(None)))))


def test_confidence_is_stated_for_each_field() -> None:
    text = text_of(result_of(row_of(answer_of("So.", basis=basis("high", "low", None)))))
    assert [line for line in text.splitlines() if line.startswith("- f")] == [
        "- f0: [1], confidence high",
        "- f1: [1], confidence low",
        "- f2: [1], confidence not stated",
    ]


async def test_a_first_delivery_is_not_called_old_whoever_waited_and_the_second_is(
    connect: Connect, upstream: Upstream
) -> None:
    gate = upstream.hold()
    async with connect(wait_seconds=0.05) as client:

        async def call(**arguments: Any) -> tuple[dict[str, Any], CallToolResult]:
            result = await client.call_tool("deep_research", arguments)
            return await structured(client, "deep_research", result), result

        run, _ = await call(question="Why?")
        assert run["status"] == "working"
        gate.set()
        with anyio.fail_after(20):
            while (first := await call(research_id=run["research_id"]))[0]["status"] == "working":
                pass
        again, by_question = await call(research_id=run["research_id"]), await call(question="Why?")
    assert first[0]["answer"]["reused"] is False
    assert "old" not in text_of(first[1]).split()
    for later, result in (again, by_question):
        assert later["answer"]["reused"] is True
        assert "old; this call sent no new request." in text_of(result)
    assert len(upstream.received) == 1


async def test_the_clock_of_a_run_counts_from_its_question_over_all_calls() -> None:
    """A row that was asked for 100 seconds ago, and a call that has only just come."""
    told = Progress()

    class Context:
        async def report_progress(self, value: float, message: str) -> None:
            await told(value, None, message)

    reporter = Reporter(cast("Any", Context()), "Researching")
    reporter.works_on(row_of(created_at=1_000.0, read_at=1_100.0))
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(reporter.run, 10.0)
            await told.until(lambda self: bool(self.values))
            group.cancel_scope.cancel()
    assert 100 <= told.values[0] < 160
    assert "100 s so far" in told.messages[0]
