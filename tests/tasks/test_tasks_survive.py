"""Tasks whose process ends: each server here is closed before the next opens the same file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client

from parallel_mcp.models import PRICES
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.polling import Tasks, get, over, started, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def process(upstream: Upstream, tmp_path: Path, budget: float | None = None) -> AsyncIterator[Client]:
    settings = Settings(
        api_key="k", base_url=upstream.url, store=str(tmp_path / "research.sqlite3"), daily_budget_usd=budget
    )
    async with Client(build(settings), extensions=[Tasks()]) as client:
        yield client


async def test_a_finished_task_is_the_same_after_a_restart(upstream: Upstream, tmp_path: Path) -> None:
    gate = upstream.hold()
    async with process(upstream, tmp_path) as client:
        handle = await started(client)
        gate.set()
        before = await over(client.session, handle.task_id)
    async with process(upstream, tmp_path) as client:
        assert await get(client.session, handle.task_id) == before


async def test_a_task_that_lost_its_process_is_taken_over_by_whoever_is_asked_for_it(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate = upstream.hold()
    async with process(upstream, tmp_path) as client:
        handle = await started(client)
        await upstream.requests(1)
    async with process(upstream, tmp_path) as client:
        assert len(upstream.received) == 1
        assert (await get(client.session, handle.task_id)).status == "working"
        await upstream.requests(2)
        gate.set()
        task = await over(client.session, handle.task_id)
    assert task.status == "completed"
    assert task.result is not None
    assert task.result["structuredContent"]["attempts"] == 2
    assert "sent twice" in task.result["content"][0]["text"]


async def test_a_task_that_lost_its_process_twice_ends_as_interrupted(upstream: Upstream, tmp_path: Path) -> None:
    upstream.hold()
    async with process(upstream, tmp_path) as client:
        handle = await started(client)
        await upstream.requests(1)
    async with process(upstream, tmp_path) as client:
        await get(client.session, handle.task_id)
        await upstream.requests(2)
    async with process(upstream, tmp_path) as client:
        task = await over(client.session, handle.task_id)
    assert task.status == "completed"
    assert task.result is not None
    assert task.result["isError"] is True
    assert "interrupted" in task.result["content"][0]["text"]
    assert len(upstream.received) == 2


async def test_a_takeover_that_the_budget_refuses_leaves_the_task_working_and_says_so(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate = upstream.hold()
    async with process(upstream, tmp_path) as client:
        handle = await started(client)
        await upstream.requests(1)
    async with process(upstream, tmp_path, budget=PRICES["lite"] * 1.5) as client:
        refused = await get(client.session, handle.task_id)
    assert refused.status == "working"
    assert refused.status_message is not None
    assert "PARALLEL_MCP_DAILY_BUDGET_USD" in refused.status_message
    assert handle.poll_interval_ms is not None
    assert (refused.poll_interval_ms or 0) > handle.poll_interval_ms
    gate.set()
    async with process(upstream, tmp_path, budget=PRICES["lite"] * 2.5) as client:
        task = await until(client.session, handle.task_id, lambda task: task.status == "completed")
    assert task.result is not None
    assert task.result["isError"] is False
