"""Ledger and pacing: what is paid, by whom, and what is refused before it is sent."""

import anyio
import pytest
from starlette.responses import Response

from parallel_mcp import errors
from parallel_mcp.models import FREE, PRICES, RESEARCH_MODELS, Question
from parallel_mcp.research import ResearchService
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import (
    LOCAL,
    QUESTION,
    Clock,
    OpenService,
    ProgressLog,
    asked,
    ignore,
    principal_of,
    requests_paid,
)
from tests.support.upstream import Received, Upstream

pytestmark = pytest.mark.anyio

SPEED = Question(text="Why?", model="speed")


async def test_each_paid_call_of_either_tool_is_one_line(
    service: ResearchService, store: SQLiteStore, upstream: Upstream
) -> None:
    for model in RESEARCH_MODELS:
        row, _ = await asked(service, question=Question(text="Why?", model=model))
        assert row.cost_usd == PRICES[model]
    await service.answer(LOCAL, SPEED, ignore)
    spent = {day.model: (day.requests, day.usd, day.maybe_usd) for day in await store.spent(LOCAL.scope)}
    assert spent == {model: (1, price, 0.0) for model, price in PRICES.items()}


@pytest.mark.parametrize("status", [401, 402, 403, 422])
async def test_what_was_refused_is_not_counted(
    service: ResearchService, store: SQLiteStore, upstream: Upstream, status: int
) -> None:
    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=status)

    upstream.reply = refuse
    row, _ = await asked(service)
    assert (row.status, row.cost_usd, row.may_be_billed) == ("failed", 0.0, False)
    with pytest.raises(errors.UpstreamError):
        await service.answer(LOCAL, SPEED, ignore)
    assert await requests_paid(store) == 0


async def test_the_budget_refuses_either_tool_before_anything_is_sent(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(budget_usd=0.012) as service:
        await asked(service)
        with pytest.raises(errors.BudgetReached, match="PARALLEL_MCP_DAILY_BUDGET_USD"):
            await service.ask(LOCAL, Question(text="And then?", model="base"))
        with pytest.raises(errors.BudgetReached, match="PARALLEL_MCP_DAILY_BUDGET_USD"):
            await service.answer(LOCAL, SPEED, ignore)
    assert len(upstream.received) == 1
    assert len(await store.list(LOCAL.scope)) == 1


async def test_the_budget_counts_what_is_still_under_way(open_service: OpenService, upstream: Upstream) -> None:
    upstream.hold()
    async with open_service(budget_usd=0.012) as service:
        await service.ask(LOCAL, QUESTION)
        with pytest.raises(errors.BudgetReached):
            await service.ask(LOCAL, Question(text="And then?", model="base"))


async def test_joining_and_reuse_pass_the_budget_for_they_cost_nothing(
    open_service: OpenService, upstream: Upstream
) -> None:
    async with open_service(budget_usd=0.012) as service:
        await asked(service)
        _, sent = await asked(service)
    assert not sent


async def test_the_budget_is_one_for_all_callers_of_a_payer_and_another_payer_has_their_own(
    open_service: OpenService, upstream: Upstream
) -> None:
    async with open_service(budget_usd=0.012) as service:
        await asked(service)
        with pytest.raises(errors.BudgetReached):
            await asked(service, principal_of(caller="another"))
        await asked(service, principal_of(key="another key"))


async def test_the_budget_begins_anew_with_the_utc_day(
    open_service: OpenService, upstream: Upstream, clock: Clock
) -> None:
    async with open_service(budget_usd=0.012) as service:
        await asked(service)
        clock.ahead += 86_400
        _, sent = await asked(service)
    assert sent


async def test_the_sandbox_costs_nothing_and_is_not_counted(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(prices=dict(FREE), budget_usd=0.000_001) as service:
        row, _ = await asked(service)
        answer = await service.answer(LOCAL, SPEED, ignore)
    assert (row.cost_usd, answer.cost_usd) == (0.0, 0.0)
    assert await store.spent(LOCAL.scope) == []


async def test_pacing_counts_against_the_wait_and_is_shown_as_progress(
    open_service: OpenService, upstream: Upstream
) -> None:
    heard = ProgressLog()
    async with open_service(per_minute=1) as service:
        await asked(service)
        row, _ = await service.ask(LOCAL, Question(text="And then?", model="base"))
        with anyio.fail_after(10):
            row, _ = await service.wait(LOCAL, row.research_id, 0.3, heard)
        assert row.status == "working"
    assert any("1 requests a minute" in words for words in heard.words)
    assert len(upstream.received) == 1


async def test_a_web_answer_refuses_by_name_to_wait_long_for_pacing(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(per_minute=1) as service:
        await service.answer(LOCAL, SPEED, ignore)
        with anyio.fail_after(10), pytest.raises(errors.PacingFull, match="PARALLEL_MCP_REQUESTS_PER_MINUTE"):
            await service.answer(LOCAL, SPEED, ignore)
    assert len(upstream.received) == 1
    assert await requests_paid(store) == 1


async def test_pacing_is_per_payer(open_service: OpenService, upstream: Upstream) -> None:
    async with open_service(per_minute=1) as service:
        await service.answer(LOCAL, SPEED, ignore)
        await service.answer(principal_of(key="another key"), SPEED, ignore)
        with pytest.raises(errors.PacingFull):
            await service.answer(principal_of(caller="another"), SPEED, ignore)
