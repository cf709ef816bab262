"""Taking over: what becomes of a row whose process died."""

import anyio
import pytest

from parallel_mcp import errors
from parallel_mcp.models import PRICES, Answer, Question
from parallel_mcp.research import Outcome, ResearchRun, ResearchService, Store
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import (
    LOCAL,
    LONG,
    QUESTION,
    SOON,
    Clock,
    OpenService,
    asked,
    ignore,
    left_behind,
    requests_paid,
    resumed,
)
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

ANSWER = Answer(
    content="It was the first.",
    data=None,
    citations=(),
    basis=(),
    model="base",
    interaction_id=None,
    cost_usd=PRICES["base"],
    seconds=1,
    reused=False,
    warnings=(),
)


@pytest.fixture
async def lapsed(store: SQLiteStore, clock: Clock) -> ResearchRun:
    """A row whose process died a minute ago."""
    row = await left_behind(store)
    clock.ahead += 60
    return row


async def test_a_lapsed_row_is_sent_again_when_somebody_asks_by_id(
    service: ResearchService, store: SQLiteStore, lapsed: ResearchRun, upstream: Upstream
) -> None:
    row, sent = await resumed(service, lapsed.research_id)
    assert (row.status, row.attempts, sent) == ("completed", 2, True)
    assert row.cost_usd == pytest.approx(2 * PRICES["base"])
    assert row.may_be_billed
    assert len(upstream.received) == 1
    assert await requests_paid(store) == 2


async def test_a_lapsed_row_is_sent_again_when_somebody_asks_the_same_question(
    service: ResearchService, lapsed: ResearchRun, upstream: Upstream
) -> None:
    row, sent = await asked(service)
    assert (row.research_id, row.status, row.attempts, sent) == (lapsed.research_id, "completed", 2, True)
    assert len(upstream.received) == 1


async def test_a_lapsed_row_is_never_sent_again_unasked(
    service: ResearchService, store: SQLiteStore, lapsed: ResearchRun, upstream: Upstream
) -> None:
    await asked(service, question=Question(text="Something else?", model="base"))
    await store.list(LOCAL.scope)
    await store.get(lapsed.research_id, LOCAL.scope)
    assert [request.question for request in upstream.received] == ["Something else?"]


async def test_a_lease_that_holds_is_not_taken_over(
    service: ResearchService, store: SQLiteStore, upstream: Upstream
) -> None:
    held = await left_behind(store)
    row, sent = await resumed(service, held.research_id, seconds=0.3)
    assert (row.status, row.holder, sent) == ("working", "gone", False)
    assert upstream.received == []


async def test_a_lapsed_lease_is_taken_only_after_it_was_seen_lapsed_a_renewal_before(
    open_service: OpenService, lapsed: ResearchRun, upstream: Upstream
) -> None:
    async with open_service(renew_seconds=1000) as service:
        for _ in range(3):
            row, _ = await resumed(service, lapsed.research_id, seconds=0)
            assert row.holder == "gone"
    async with open_service(renew_seconds=0, poll_seconds=0) as service:
        first, _ = await resumed(service, lapsed.research_id, seconds=0)
        second, sent = await resumed(service, lapsed.research_id, seconds=0)
    assert (first.holder, sent) == ("gone", True)
    assert second.attempts == 2


async def test_a_laptops_sleep_takes_nothing_over(
    open_service: OpenService, clock: Clock, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    async with open_service(renew_seconds=0.2) as holder, open_service(renew_seconds=0.2, poll_seconds=0.05) as watcher:
        row, _ = await holder.ask(LOCAL, QUESTION)
        await upstream.requests(1)
        for _ in range(3):
            clock.ahead += 3600
            seen, _ = await resumed(watcher, row.research_id, seconds=0.5)
            assert (seen.status, seen.attempts) == ("working", 1)
        gate.set()
        found, sent = await resumed(watcher, row.research_id)
    assert (found.status, found.attempts, sent) == ("completed", 1, False)
    assert len(upstream.received) == 1


async def test_a_row_is_never_sent_more_than_twice_in_all(
    service: ResearchService, store: SQLiteStore, lapsed: ResearchRun, clock: Clock, upstream: Upstream
) -> None:
    seen = await store.get(lapsed.research_id, LOCAL.scope)
    assert seen is not None
    assert await store.claim(seen, "gone too", PRICES["base"], None) is not None
    clock.ahead += 60
    row, _ = await resumed(service, lapsed.research_id)
    assert (row.status, row.attempts, row.may_be_billed) == ("failed", 2, True)
    assert row.error is not None
    assert "interrupted" in row.error
    assert "may have been billed" in row.error
    assert upstream.received == []
    again, sent = await asked(service)
    assert again.research_id != lapsed.research_id
    assert sent


async def test_a_lease_that_was_given_back_is_taken_at_once(
    open_service: OpenService, store: SQLiteStore, upstream: Upstream
) -> None:
    row = await left_behind(store)
    await store.release(row.research_id, "gone", sent=True)
    async with open_service(renew_seconds=1000) as service:
        found, sent = await resumed(service, row.research_id)
    assert (found.status, found.attempts, sent) == ("completed", 2, True)


async def test_what_was_given_back_unsent_counts_as_no_attempt(
    service: ResearchService, store: SQLiteStore, upstream: Upstream
) -> None:
    row = await left_behind(store)
    await store.release(row.research_id, "gone", sent=False)
    found, _ = await resumed(service, row.research_id)
    assert (found.status, found.attempts, found.cost_usd) == ("completed", 1, PRICES["base"])
    assert await requests_paid(store) == 1


async def test_many_who_ask_at_once_in_two_processes_take_it_over_once(
    service: ResearchService, open_service: OpenService, lapsed: ResearchRun, upstream: Upstream
) -> None:
    found: list[tuple[ResearchRun, bool]] = []

    async def ask(at: ResearchService) -> None:
        found.append(await resumed(at, lapsed.research_id))

    async with open_service() as other, anyio.create_task_group() as group:
        for at in (service, other) * 5:
            group.start_soon(ask, at)
    assert {(row.status, row.attempts) for row, _ in found} == {("completed", 2)}
    assert [sent for _, sent in found].count(True) == 1
    assert len(upstream.received) == 1


async def test_a_takeover_passes_the_budget_like_a_new_question(
    open_service: OpenService, lapsed: ResearchRun, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(budget_usd=1.5 * PRICES["base"]) as service:
        with pytest.raises(errors.BudgetReached):
            await resumed(service, lapsed.research_id)
    kept = await store.get(lapsed.research_id, LOCAL.scope)
    assert kept is not None
    assert (kept.status, kept.attempts) == ("working", 1)
    assert upstream.received == []


async def test_who_waits_is_told_of_a_lapsed_run_before_anything_is_sent(
    service: ResearchService, lapsed: ResearchRun, upstream: Upstream
) -> None:
    seen: list[tuple[bool, int]] = []
    row, sent = await service.wait(
        LOCAL, lapsed.research_id, LONG, ignore, lambda row: seen.append((row.lapsed, len(upstream.received)))
    )
    assert (row.status, sent) == ("completed", True)
    assert seen[0] == (True, 0)


async def _taken_over(service: ResearchService, store: Store, row: ResearchRun, upstream: Upstream) -> None:
    await service.wait(LOCAL, row.research_id, 0, ignore)
    with anyio.fail_after(10):
        while len(upstream.received) == 0:
            await service.wait(LOCAL, row.research_id, 0.1, ignore)


async def test_the_first_answer_wins_whoever_brings_it(
    service: ResearchService, store: SQLiteStore, lapsed: ResearchRun, upstream: Upstream
) -> None:
    upstream.hold()
    await _taken_over(service, store, lapsed, upstream)
    await store.finish(lapsed.research_id, "gone", Outcome(answer=ANSWER))
    row, _ = await resumed(service, lapsed.research_id)
    assert (row.status, row.answer) == ("completed", ANSWER)
    await upstream.until(lambda self: self.closed == 1, SOON)


async def test_a_failure_counts_only_from_the_holder_of_the_lease(
    service: ResearchService, store: SQLiteStore, lapsed: ResearchRun, upstream: Upstream
) -> None:
    gate = upstream.hold()
    await _taken_over(service, store, lapsed, upstream)
    await store.finish(lapsed.research_id, "gone", Outcome(error="It broke.", may_be_billed=True))
    gate.set()
    row, _ = await resumed(service, lapsed.research_id)
    assert (row.status, row.error) == ("completed", None)


async def test_a_finished_row_is_given_to_the_next_process_and_nothing_is_sent(
    open_service: OpenService, clock: Clock, upstream: Upstream
) -> None:
    async with open_service() as service:
        first, _ = await asked(service)
    clock.ahead += 86_400
    async with open_service() as service:
        row, sent = await resumed(service, first.research_id)
    assert (row.answer, row.attempts, sent) == (first.answer, 1, False)
    assert len(upstream.received) == 1


async def test_what_was_seen_lapsed_is_not_remembered_for_ever(service: ResearchService, lapsed: ResearchRun) -> None:
    await service.wait(LOCAL, lapsed.research_id, 0, ignore)
    assert set(service._lapses) == {lapsed.research_id}
    await service.wait(LOCAL, lapsed.research_id, LONG, ignore)
    assert service._lapses == {}
