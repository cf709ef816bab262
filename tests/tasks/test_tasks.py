"""Research runs as MCP tasks, through the SDK's own client, in process if only the protocol matters."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp

from parallel_mcp.models import PRICES, Research
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support import polling
from tests.support.clients import text_of
from tests.support.polling import Task, Tasks, call, cancel, get, over, started, until, update
from tests.support.upstream import Received, Upstream, chunk

pytestmark = pytest.mark.anyio


def settings(upstream: Upstream, **more: Any) -> Settings:
    return Settings(**{"api_key": "k", "base_url": upstream.url, "store": "memory:", **more})


@asynccontextmanager
async def connected(upstream: Upstream, **more: Any) -> AsyncIterator[Client]:
    """A client that declares tasks, on its own server."""
    async with Client(build(settings(upstream, **more)), extensions=[Tasks()]) as client:
        yield client


def text(result: CallToolResult | Task) -> str:
    if isinstance(result, CallToolResult):
        return text_of(result)
    return str((result.result or {})["content"][0]["text"])


async def test_a_research_becomes_a_task_under_its_own_id(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream, retention_days=2) as client:
        handle = await started(client)
        await upstream.requests(1)
        assert (handle.status, handle.ttl_ms) == ("working", 2 * 86_400_000)
        assert handle.poll_interval_ms is not None
        assert handle.poll_interval_ms > 0
        assert handle.status_message is not None
        assert "lite" in handle.status_message
        assert abs((datetime.now(UTC) - datetime.fromisoformat(handle.created_at)).total_seconds()) < 3600
        gate.set()
        by_id = await client.call_tool("deep_research", {"research_id": handle.task_id})
    assert by_id.structured_content is not None
    assert by_id.structured_content["status"] == "completed"


async def test_a_task_can_be_asked_for_as_soon_as_its_handle_is_here(upstream: Upstream) -> None:
    upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        task = await get(client.session, handle.task_id)
    assert (task.status, task.result) == ("working", None)
    assert (task.task_id, task.created_at, task.ttl_ms) == (handle.task_id, handle.created_at, handle.ttl_ms)


async def test_a_client_that_resolves_tasks_gets_what_the_plain_call_gives(upstream: Upstream) -> None:
    extension = Tasks()
    results = []
    for extensions in ([extension], []):
        gate = upstream.hold()
        async with (
            Client(build(settings(upstream)), extensions=extensions) as client,
            anyio.create_task_group() as group,
        ):

            async def ask(client: Client = client) -> None:
                results.append(await client.call_tool("deep_research", {"question": "Why?", "model": "lite"}))

            group.start_soon(ask)
            await upstream.requests(len(results) + 1)
            if extensions:
                with anyio.fail_after(10):
                    await extension.handle.wait()
            gate.set()
    as_task, plain = (_timeless(result) for result in results)
    assert as_task == plain
    assert Research.model_validate(results[0].structured_content).answer is not None


def _timeless(result: CallToolResult) -> dict[str, Any]:
    """A result without what differs between research runs."""
    dumped = result.model_dump(mode="json", exclude={"meta"})
    structure = dumped["structured_content"]
    for name in ("research_id", "created_at", "seconds"):
        del structure[name]
    del structure["answer"]["seconds"]
    return dumped


async def test_a_completed_task_says_the_same_at_every_poll(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        gate.set()
        first = await over(client.session, handle.task_id)
        again = await get(client.session, handle.task_id)
    assert first.status == "completed"
    assert first.result is not None
    assert first.result["structuredContent"]["answer"]["reused"] is False
    assert first.result["structuredContent"]["error"] is None
    assert again == first


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_does_not_declare_tasks_notices_nothing(upstream: Upstream, mode: str) -> None:
    async with Client(build(settings(upstream)), mode=mode) as client:
        result = await call(client)
        with pytest.raises(MCPError) as refused:
            await get(client.session, result.structured_content["research_id"])
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "completed"
    # The first era has no such method.
    assert refused.value.code == (-32021 if mode == "auto" else -32601)


async def test_a_client_of_the_first_era_gets_no_task_even_if_it_declares_them(upstream: Upstream) -> None:
    declared = ClientExtension()
    declared.identifier = polling.IDENTIFIER
    async with Client(build(settings(upstream)), mode="legacy", extensions=[declared]) as client:
        result = await call(client)
    assert isinstance(result, CallToolResult)


async def test_every_method_refuses_a_client_that_does_not_declare_tasks(upstream: Upstream) -> None:
    async with Client(build(settings(upstream))) as client:
        for method in (get, cancel, update):
            with pytest.raises(MCPError) as refused:
                await method(client.session, "0" * 24)
            assert refused.value.code == -32021
            assert refused.value.data == {"requiredCapabilities": {"extensions": {polling.IDENTIFIER: {}}}}


@pytest.mark.parametrize("task_id", ["0" * 24, "", "x" * 1000])
async def test_an_unknown_id_is_an_invalid_parameter(upstream: Upstream, task_id: str) -> None:
    async with connected(upstream) as client:
        for method in (get, cancel, update):
            with pytest.raises(MCPError) as refused:
                await method(client.session, task_id)
            assert refused.value.code == -32602


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"question": " "}, "question"),
        ({"surprise": 1}, "surprise is unknown"),
        ({"model": "speed"}, "model"),
        ({"research_id": "0" * 24}, "There is no research run"),
        ({"cancel": True}, "cancel needs research_id"),
        ({"output_schema": {"type": "string"}}, "output_schema"),
    ],
)
async def test_bad_arguments_are_the_ordinary_error_and_make_no_task(
    upstream: Upstream, arguments: dict[str, Any], word: str
) -> None:
    async with connected(upstream) as client:
        result = await call(client, **{"question": "Why?", **arguments})
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert word in text(result)
    assert upstream.received == []


async def test_without_a_key_there_is_the_ordinary_error_and_no_task(upstream: Upstream) -> None:
    async with connected(upstream, api_key=None) as client:
        result = await call(client)
        with pytest.raises(MCPError) as refused:
            await get(client.session, "0" * 24)
    assert result.is_error
    assert "PARALLEL_API_KEY" in text(result)
    assert refused.value.code == -32603


async def test_beyond_the_budget_there_is_the_ordinary_error_and_no_task(upstream: Upstream) -> None:
    async with connected(upstream, daily_budget_usd=PRICES["lite"] / 2) as client:
        result = await call(client)
    assert result.is_error
    assert "PARALLEL_MCP_DAILY_BUDGET_USD" in text(result)
    assert upstream.received == []


async def test_where_the_store_fails_no_task_is_promised(upstream: Upstream, tmp_path: Path) -> None:
    async with connected(upstream, store=str(tmp_path)) as client:
        result = await call(client)
        with pytest.raises(MCPError) as refused:
            await get(client.session, "0" * 24)
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert refused.value.code == -32603
    assert upstream.received == []


async def test_an_answer_that_is_there_already_is_an_ordinary_result(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        gate.set()
        await over(client.session, handle.task_id)
        again = await call(client)
    assert isinstance(again, CallToolResult)
    assert again.structured_content is not None
    assert again.structured_content["research_id"] == handle.task_id
    assert again.structured_content["answer"]["reused"] is True
    assert len(upstream.received) == 1


async def test_the_same_question_joins_the_task_under_way(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream) as client:
        first, second = await started(client), await started(client)
        gate.set()
        await over(client.session, second.task_id)
    assert first.task_id == second.task_id
    assert len(upstream.received) == 1


async def test_a_call_by_id_waits_the_ordinary_way(upstream: Upstream) -> None:
    upstream.hold()
    async with connected(upstream, wait_seconds=0.1) as client:
        handle = await started(client)
        result = await client.session.call_tool("deep_research", {"research_id": handle.task_id}, allow_claimed=True)
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "working"


@pytest.mark.parametrize("blank", ["", "  ", None])
async def test_a_blank_id_is_none(upstream: Upstream, blank: str | None) -> None:
    upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client, research_id=blank)
    assert handle.status == "working"


async def test_a_web_answer_is_never_a_task(upstream: Upstream) -> None:
    async with connected(upstream) as client:
        result = await client.session.call_tool("web_answer", {"question": "Why?"}, allow_claimed=True)
    assert isinstance(result, CallToolResult)
    assert not result.is_error


async def test_a_research_that_failed_is_a_completed_task_with_a_result_that_is_an_error(upstream: Upstream) -> None:
    async def refuse(_: Received) -> ASGIApp:
        return JSONResponse({"error": {"message": "no such thing"}}, 422)

    upstream.reply = refuse
    gate = upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        gate.set()
        task = await over(client.session, handle.task_id)
    assert task.status == "completed"
    assert task.result is not None
    assert task.result["isError"] is True
    assert "no such thing" in text(task)
    assert "structuredContent" not in task.result


async def test_the_status_says_the_words_that_have_come_so_far(upstream: Upstream) -> None:
    rest = anyio.Event()

    async def slowly(_: Received) -> ASGIApp:
        async def lines() -> AsyncIterator[str]:
            yield f"data: {chunk('The first words ')}\n\n"
            await rest.wait()
            yield f"data: {chunk('and the last.', finish_reason='stop')}\n\ndata: [DONE]\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    upstream.reply = slowly
    async with connected(upstream) as client:
        handle = await started(client)
        task = await until(client.session, handle.task_id, lambda task: "first words" in (task.status_message or ""))
        assert task.status == "working"
        rest.set()
        assert (await over(client.session, handle.task_id)).status == "completed"


async def test_cancelling_stops_the_request_when_nobody_else_waits(upstream: Upstream) -> None:
    upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        await upstream.requests(1)
        acknowledged = await cancel(client.session, handle.task_id)
        task = await get(client.session, handle.task_id)
        await upstream.until(lambda upstream: upstream.closed == 1)
    assert _bare(acknowledged)
    assert (task.status, task.result) == ("cancelled", None)


def _bare(acknowledged: Any) -> bool:
    """Whether an acknowledgement contains nothing of the task."""
    return set(json.loads(acknowledged.model_dump_json(by_alias=True, exclude_none=True))) <= {"resultType", "_meta"}


async def test_cancelling_leaves_the_work_to_a_call_that_waits_for_it(upstream: Upstream) -> None:
    gate = upstream.hold()
    results: list[CallToolResult] = []
    async with connected(upstream) as client, anyio.create_task_group() as group:
        handle = await started(client)
        waiting = anyio.Event()

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            waiting.set()

        async def wait() -> None:
            given = {"research_id": handle.task_id}
            results.append(await client.call_tool("deep_research", given, progress_callback=on_progress))

        group.start_soon(wait)
        with anyio.fail_after(10):
            # A call reaches the store before its first report, and the store handles one thing at a time.
            await waiting.wait()
        await cancel(client.session, handle.task_id)
        assert (await get(client.session, handle.task_id)).status == "working"
        gate.set()
    assert results[0].structured_content is not None
    assert results[0].structured_content["status"] == "completed"


async def test_cancelling_what_is_over_is_acknowledged_and_changes_nothing(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        gate.set()
        before = await over(client.session, handle.task_id)
        assert _bare(await cancel(client.session, handle.task_id))
        assert await get(client.session, handle.task_id) == before


async def test_answers_to_requests_that_were_never_made_are_acknowledged(upstream: Upstream) -> None:
    upstream.hold()
    async with connected(upstream) as client:
        handle = await started(client)
        assert _bare(await update(client.session, handle.task_id))
        assert (await get(client.session, handle.task_id)).status == "working"


async def test_a_task_older_than_the_retention_is_unknown_once_it_is_over(upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connected(upstream, retention_days=1e-9) as client:
        handle = await started(client)
        assert (await get(client.session, handle.task_id)).status == "working"
        gate.set()
        await client.call_tool("deep_research", {"research_id": handle.task_id})
        for method in (get, cancel, update):
            with pytest.raises(MCPError) as refused:
                await method(client.session, handle.task_id)
            assert refused.value.code == -32602
