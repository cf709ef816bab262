"""What every store promises. Each test runs over SQLite in memory, SQLite in a file and a real Redis."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from parallel_mcp import errors
from parallel_mcp.research import LEASE_SECONDS, ResearchRun, Scope, Store
from tests.support.stores import ALICE, StoreUnderTest, added, answer, answered, asked, content_of, failed

pytestmark = pytest.mark.anyio

STRANGERS = [
    Scope("bob", ALICE.payer, ALICE.origin),
    Scope(ALICE.caller, "another key", ALICE.origin),
    Scope(ALICE.caller, ALICE.payer, "https://elsewhere"),
]


async def over(store: Store, row: ResearchRun) -> ResearchRun:
    """Complete the row."""
    done = await store.finish(row.research_id, row.holder or "one", answered())
    assert done is not None
    assert done.status == "completed"
    return done


async def lines(store: Store, scope: Scope = ALICE) -> tuple[int, float, float]:
    """Today's requests, dollars, and dollars that may not have been billed."""
    totals = await store.spent(scope, 1)
    return (
        sum(total.requests for total in totals),
        round(sum(total.usd for total in totals), 6),
        round(sum(total.maybe_usd for total in totals), 6),
    )


async def lapsed(kept: StoreUnderTest) -> ResearchRun:
    """A row whose worker has been silent for a lease's time."""
    row = await added(kept.store, asked())
    kept.clock.pass_by(LEASE_SECONDS + 1)
    seen = await kept.store.get(row.research_id, ALICE)
    assert seen is not None
    assert seen.lapsed
    return seen


# Adding and joining


async def test_a_new_question_is_a_row_that_is_leased_to_its_worker(kept: StoreUnderTest) -> None:
    new = asked("Wie geht's? \ud800\x00")
    row = await added(kept.store, new)
    assert (row.research_id, row.scope, row.question) == (new.research_id, ALICE, new.question)
    assert (row.status, row.attempts, row.holder) == ("working", 1, "one")
    assert row.due == pytest.approx(row.read_at + LEASE_SECONDS)
    assert row.created_at == row.read_at == pytest.approx(kept.clock(), abs=30)
    assert (row.answer, row.error, row.finished_at, row.may_be_billed) == (None, None, None, False)
    assert row.cost_usd == 0.01
    assert not row.lapsed


async def test_a_question_under_way_is_joined_even_where_reuse_is_off(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    joined, entry = await kept.another().add_or_join(asked(holder="two", reuse=0))
    assert (joined.research_id, entry, joined.holder) == (row.research_id, "joined", "one")
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_question_whose_worker_is_gone_is_joined_too(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    joined, entry = await kept.store.add_or_join(asked(holder="two"))
    assert (joined.research_id, entry) == (seen.research_id, "joined")
    assert joined.lapsed


async def test_fifty_who_ask_the_same_at_once_make_one_row(kept: StoreUnderTest) -> None:
    found: list[tuple[ResearchRun, str]] = []
    stores = [kept.store, kept.another()]

    async def ask(number: int) -> None:
        found.append(await stores[number % 2].add_or_join(asked(holder=f"holder {number}")))

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(ask, number)
    assert sorted(entry for _, entry in found) == ["added"] + ["joined"] * 49
    assert len({row.research_id for row, _ in found}) == 1
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_finished_answer_is_given_again_within_the_time(kept: StoreUnderTest) -> None:
    row = await over(kept.store, await added(kept.store, asked()))
    kept.clock.pass_by(590)
    again, entry = await kept.another().add_or_join(asked(holder="two"))
    assert (again.research_id, entry, again.answer) == (row.research_id, "finished", row.answer)
    assert await lines(kept.store) == (1, 0.01, 0.0)


async def test_a_finished_answer_is_not_given_again_after_the_time(kept: StoreUnderTest) -> None:
    await over(kept.store, await added(kept.store, asked()))
    kept.clock.pass_by(601)
    await added(kept.store, asked())


async def test_a_finished_answer_is_skipped_where_a_fresh_one_is_wanted(kept: StoreUnderTest) -> None:
    first = await over(kept.store, await added(kept.store, asked()))
    second = await added(kept.store, asked(reuse=0))
    assert second.research_id != first.research_id
    await over(kept.store, second)
    again, _ = await kept.store.add_or_join(asked())
    assert again.research_id == second.research_id


async def test_a_doubtful_answer_is_kept_and_not_given_again(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    done = await kept.store.finish(row.research_id, "one", answered("Cut sh", reusable=False))
    assert content_of(done) == "Cut sh"
    await added(kept.store, asked())


@pytest.mark.parametrize("end", ["failed", "cancelled", "interrupted"])
async def test_what_ended_without_an_answer_is_never_reused(kept: StoreUnderTest, end: str) -> None:
    row = await added(kept.store, asked())
    if end == "failed":
        await kept.store.finish(row.research_id, "one", failed())
    elif end == "cancelled":
        await kept.store.cancel(row.research_id, ALICE)
    else:
        await interrupted(kept, row)
    await added(kept.store, asked())


async def test_an_answer_that_is_cancelled_and_comes_anyway_is_not_given_again(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.cancel(row.research_id, ALICE)
    await over(kept.store, row)
    await added(kept.store, asked())


async def test_the_same_question_can_be_under_way_again_after_a_cancellation(kept: StoreUnderTest) -> None:
    first = await added(kept.store, asked())
    await kept.store.cancel(first.research_id, ALICE)
    second = await added(kept.store, asked(holder="two"))
    await over(kept.store, first)
    joined, entry = await kept.store.add_or_join(asked())
    assert (joined.research_id, entry) == (second.research_id, "joined")


# Who may see what


@pytest.mark.parametrize("failure", STRANGERS, ids=["caller", "payer", "origin"])
async def test_a_row_does_not_exist_for_anybody_else(kept: StoreUnderTest, failure: Scope) -> None:
    row = await added(kept.store, asked())
    assert await kept.store.get(row.research_id, failure) is None
    assert await kept.store.get(row.research_id, failure, "waiter") is None
    assert await kept.store.cancel(row.research_id, failure) is None
    assert await kept.store.list(failure) == []
    assert await kept.store.forget(failure, row.research_id) == 0
    kept.clock.pass_by(LEASE_SECONDS + 1)
    seen = await kept.store.get(row.research_id, ALICE)
    assert seen is not None
    assert seen.status == "working"
    assert await kept.store.claim(replace(seen, scope=failure), "two", 0.01, None) is None
    await over(kept.store, row)
    assert await kept.store.forget(failure) == 0
    assert await kept.store.get(row.research_id, failure) is None
    assert content_of(await kept.store.get(row.research_id, ALICE)) == "Because."


async def test_an_unknown_id_is_none_everywhere(kept: StoreUnderTest) -> None:
    row = replace(await added(kept.store, asked()), research_id="nobody's")
    assert await kept.store.get("nobody's", ALICE) is None
    assert await kept.store.claim(row, "two", 0.01, None) is None
    assert await kept.store.renew("nobody's", "one") is None
    assert await kept.store.finish("nobody's", "one", answered()) is None
    assert await kept.store.cancel("nobody's", ALICE) is None
    assert await kept.store.forget(ALICE, "nobody's") == 0
    await kept.store.release("nobody's", "one", sent=False)
    await kept.store.leave("nobody's", "waiter")
    assert await lines(kept.store) == (1, 0.01, 0.01)


# Leases


async def test_a_lapsed_row_is_claimed_by_one_of_two(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    claimed = await kept.store.claim(seen, "two", 0.01, None)
    assert claimed is not None
    assert (claimed.holder, claimed.attempts, claimed.cost_usd) == ("two", 2, 0.02)
    assert claimed.due == pytest.approx(claimed.read_at + LEASE_SECONDS)
    assert await kept.another().claim(seen, "three", 0.01, None) is None
    assert await lines(kept.store) == (2, 0.02, 0.02)


async def test_of_many_that_claim_at_once_one_has_it(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    stores = [kept.store, kept.another()]
    found: list[ResearchRun | None] = []

    async def claim(number: int) -> None:
        found.append(await stores[number % 2].claim(seen, f"holder {number}", 0.01, None))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(claim, number)
    assert len([row for row in found if row is not None]) == 1


async def test_one_process_that_claims_twice_has_it_once(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    assert await kept.store.claim(seen, "two", 0.01, None) is not None
    assert await kept.store.claim(seen, "two", 0.01, None) is None


async def test_a_row_whose_lease_runs_is_not_claimed(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    assert await kept.store.claim(row, "two", 0.01, None) is None


async def test_a_row_that_was_renewed_since_it_was_seen_is_not_claimed(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    renewed = await kept.store.renew(seen.research_id, "one")
    assert renewed is not None
    assert renewed.due == pytest.approx(renewed.read_at + LEASE_SECONDS)
    kept.clock.pass_by(LEASE_SECONDS + 1)
    assert await kept.store.claim(seen, "two", 0.01, None) is None


async def test_a_lease_is_renewed_by_its_holder_alone(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    kept.clock.pass_by(5)
    other = await kept.store.renew(row.research_id, "two")
    assert other is not None
    assert (other.due, other.holder) == (row.due, "one")
    mine = await kept.store.renew(row.research_id, "one")
    assert mine is not None
    assert (mine.due or 0) > (row.due or 0)


async def test_renewing_what_is_over_says_so_and_changes_nothing(kept: StoreUnderTest) -> None:
    done = await over(kept.store, await added(kept.store, asked()))
    row = await kept.store.renew(done.research_id, "one")
    assert row is not None
    assert (row.status, row.due, row.holder) == ("completed", None, None)


async def interrupted(kept: StoreUnderTest, row: ResearchRun) -> ResearchRun:
    """The row after both of its workers were lost."""
    for holder in ("two", "three"):
        kept.clock.pass_by(LEASE_SECONDS + 1)
        seen = await kept.store.get(row.research_id, ALICE)
        assert seen is not None
        claimed = await kept.store.claim(seen, holder, 0.01, None)
        assert claimed is not None
        row = claimed
    return row


async def test_a_row_that_was_sent_twice_is_interrupted_and_not_sent_again(kept: StoreUnderTest) -> None:
    row = await interrupted(kept, await added(kept.store, asked()))
    assert (row.status, row.attempts, row.holder, row.due) == ("failed", 2, None, None)
    assert row.may_be_billed
    assert "interrupted" in (row.error or "")
    assert await lines(kept.store) == (2, 0.02, 0.02)


async def test_a_lease_that_is_given_back_after_sending_counts_as_an_attempt(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.release(row.research_id, "one", sent=True)
    seen = await kept.store.get(row.research_id, ALICE)
    assert seen is not None
    assert seen.lapsed
    assert (seen.status, seen.holder, seen.due, seen.attempts, seen.cost_usd) == ("working", None, None, 1, 0.01)
    claimed = await kept.another().claim(seen, "two", 0.01, None)
    assert claimed is not None
    assert claimed.attempts == 2
    assert await lines(kept.store) == (2, 0.02, 0.02)


async def test_a_lease_that_is_given_back_before_sending_leaves_no_trace(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.release(row.research_id, "one", sent=False)
    seen = await kept.store.get(row.research_id, ALICE)
    assert seen is not None
    assert (seen.attempts, seen.cost_usd) == (0, 0.0)
    assert await lines(kept.store) == (0, 0.0, 0.0)
    claimed = await kept.store.claim(seen, "two", 0.01, None)
    assert claimed is not None
    assert (claimed.attempts, claimed.cost_usd) == (1, 0.01)
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_lease_is_given_back_by_its_holder_alone(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.release(row.research_id, "two", sent=False)
    same = await kept.store.get(row.research_id, ALICE)
    assert same is not None
    assert (same.holder, same.due, same.attempts) == ("one", row.due, 1)
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_takeover_that_was_never_sent_is_not_charged_though_the_answer_came(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    await kept.store.claim(seen, "two", 0.01, None)
    await kept.store.finish(seen.research_id, "one", answered())
    await kept.store.release(seen.research_id, "two", sent=False)
    done = await kept.store.get(seen.research_id, ALICE)
    assert content_of(done) == "Because."
    assert done is not None
    assert (done.attempts, done.cost_usd) == (1, 0.01)
    assert await lines(kept.store) == (1, 0.01, 0.0)


async def test_what_costs_nothing_is_counted_as_an_attempt_too(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked(price=0))
    await kept.store.release(row.research_id, "one", sent=False)
    seen = await kept.store.get(row.research_id, ALICE)
    assert seen is not None
    assert seen.attempts == 0
    claimed = await kept.store.claim(seen, "two", 0, None)
    assert claimed is not None
    assert claimed.attempts == 1


# How it ends


async def test_an_answer_is_stored_as_it_is(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    done = await kept.store.finish(row.research_id, "one", answered())
    again = await kept.another().get(row.research_id, ALICE)
    assert done is not None
    assert again is not None
    assert replace(done, read_at=0) == replace(again, read_at=0)
    assert done.answer == answer()
    assert (done.status, done.holder, done.due, done.error) == ("completed", None, None, None)
    assert done.finished_at == pytest.approx(done.read_at)
    assert await lines(kept.store) == (1, 0.01, 0.0)


async def test_the_first_answer_wins(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    await kept.store.claim(seen, "two", 0.01, None)
    await kept.store.finish(seen.research_id, "one", answered("The first."))
    late = await kept.store.finish(seen.research_id, "two", answered("The second."))
    assert content_of(late) == "The first."
    assert content_of(await kept.store.get(seen.research_id, ALICE)) == "The first."
    assert await lines(kept.store) == (2, 0.02, 0.0)


async def test_an_answer_counts_whoever_brings_it(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    await kept.store.claim(seen, "two", 0.01, None)
    assert content_of(await kept.store.finish(seen.research_id, "one", answered())) == "Because."
    assert await lines(kept.store) == (2, 0.02, 0.01)


async def test_an_answer_wins_over_a_failure_that_came_before(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.finish(row.research_id, "one", failed(may_be_billed=True))
    done = await kept.store.finish(row.research_id, "one", answered())
    assert content_of(done) == "Because."
    assert done is not None
    assert (done.status, done.error) == ("completed", None)


async def test_an_answer_wins_over_an_interruption(kept: StoreUnderTest) -> None:
    row = await interrupted(kept, await added(kept.store, asked()))
    done = await kept.store.finish(row.research_id, "one", answered())
    assert content_of(done) == "Because."


async def test_an_answer_that_comes_after_a_cancellation_is_kept(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.cancel(row.research_id, ALICE)
    done = await kept.store.finish(row.research_id, "one", answered())
    assert content_of(done) == "Because."
    assert await lines(kept.store) == (1, 0.01, 0.0)


async def test_an_answer_is_not_undone_by_what_comes_after(kept: StoreUnderTest) -> None:
    row = await over(kept.store, await added(kept.store, asked()))
    await kept.store.finish(row.research_id, "one", failed())
    await kept.store.release(row.research_id, "one", sent=False)
    await kept.store.cancel(row.research_id, ALICE)
    kept.clock.pass_by(LEASE_SECONDS + 1)
    assert await kept.store.claim(row, "two", 0.01, None) is None
    after = await kept.store.get(row.research_id, ALICE)
    assert after is not None
    assert (after.status, after.answer, after.finished_at) == ("completed", row.answer, row.finished_at)


async def test_finishing_twice_is_finishing_once(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    once = await kept.store.finish(row.research_id, "one", answered())
    twice = await kept.store.finish(row.research_id, "one", answered())
    assert once is not None
    assert twice is not None
    assert replace(once, read_at=0) == replace(twice, read_at=0)
    assert await lines(kept.store) == (1, 0.01, 0.0)


async def test_a_failure_of_the_holder_ends_the_row(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    ended = await kept.store.finish(row.research_id, "one", failed("Lost.", may_be_billed=True))
    assert ended is not None
    assert (ended.status, ended.error, ended.may_be_billed, ended.cost_usd) == ("failed", "Lost.", True, 0.01)
    assert (ended.holder, ended.due) == (None, None)
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_failure_that_was_not_billed_costs_nothing(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    ended = await kept.store.finish(row.research_id, "one", failed("Refused."))
    assert ended is not None
    assert (ended.status, ended.may_be_billed, ended.cost_usd) == ("failed", False, 0.0)
    assert await lines(kept.store) == (0, 0.0, 0.0)


async def test_a_failure_after_a_takeover_says_that_the_first_request_may_be_billed(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    await kept.store.claim(seen, "two", 0.01, None)
    ended = await kept.store.finish(seen.research_id, "two", failed("Refused."))
    assert ended is not None
    assert (ended.may_be_billed, ended.cost_usd) == (True, 0.01)
    assert await lines(kept.store) == (1, 0.01, 0.01)


async def test_a_failure_of_anybody_else_changes_only_the_ledger(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    await kept.store.claim(seen, "two", 0.01, None)
    same = await kept.store.finish(seen.research_id, "one", failed("Refused."))
    assert same is not None
    assert (same.status, same.holder, same.error) == ("working", "two", None)
    assert await lines(kept.store) == (1, 0.01, 0.01)


# Waiting and letting go


async def test_the_last_one_to_let_go_stops_it(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.get(row.research_id, ALICE, "first")
    await kept.another().get(row.research_id, ALICE, "second")
    still = await kept.store.cancel(row.research_id, ALICE, "first")
    assert still is not None
    assert still.status == "working"
    stopped = await kept.store.cancel(row.research_id, ALICE, "second")
    assert stopped is not None
    assert (stopped.status, stopped.may_be_billed, stopped.due) == ("cancelled", True, None)
    assert stopped.finished_at == pytest.approx(stopped.read_at)


async def test_one_who_does_not_wait_any_more_does_not_keep_it_going(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.get(row.research_id, ALICE, "left")
    await kept.store.get(row.research_id, ALICE, "lapsed")
    await kept.store.leave(row.research_id, "left")
    kept.clock.pass_by(LEASE_SECONDS + 1)
    stopped = await kept.store.cancel(row.research_id, ALICE)
    assert stopped is not None
    assert stopped.status == "cancelled"


async def test_one_who_goes_on_looking_keeps_it_going(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    for _ in range(8):
        await kept.store.get(row.research_id, ALICE, "looks")
        kept.clock.pass_by(4)
    still = await kept.store.cancel(row.research_id, ALICE)
    assert still is not None
    assert still.status == "working"


async def test_cancelling_what_is_over_changes_nothing(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    failure = await kept.store.finish(row.research_id, "one", failed())
    same = await kept.store.cancel(row.research_id, ALICE)
    assert failure is not None
    assert same is not None
    assert replace(same, read_at=0) == replace(failure, read_at=0)


async def test_a_cancelled_row_that_was_never_sent_costs_nothing_and_goes(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.cancel(row.research_id, ALICE)
    await kept.store.release(row.research_id, "one", sent=False)
    assert await kept.store.get(row.research_id, ALICE) is None
    assert await kept.store.list(ALICE) == []
    assert await lines(kept.store) == (0, 0.0, 0.0)


async def test_a_row_that_was_given_back_unsent_goes_with_its_cancel(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.release(row.research_id, "one", sent=False)
    gone = await kept.store.cancel(row.research_id, ALICE)
    assert gone is not None
    assert (gone.status, gone.attempts, gone.cost_usd, gone.may_be_billed) == ("cancelled", 0, 0.0, False)
    assert await kept.store.list(ALICE) == []


async def test_a_row_that_was_sent_once_stays_when_it_is_cancelled(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    claimed = await kept.store.claim(seen, "two", 0.01, None)
    assert claimed is not None
    await kept.store.cancel(seen.research_id, ALICE)
    await kept.store.release(seen.research_id, "two", sent=False)
    stopped = await kept.store.get(seen.research_id, ALICE)
    assert stopped is not None
    assert (stopped.status, stopped.attempts, stopped.may_be_billed) == ("cancelled", 1, True)


async def test_a_caller_has_so_many_runs_in_flight_and_no_more(
    kept: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite", "redis"):
        monkeypatch.setattr(f"parallel_mcp.stores.{module}.MAX_WORKING_RUNS", 3)
    rows = [await added(kept.store, asked(f"Question {number}")) for number in range(3)]
    with pytest.raises(errors.TooManyWorking, match=r"3 research runs in flight.*cancel=true"):
        await kept.store.add_or_join(asked("Another"))
    assert (await lines(kept.store))[0] == 3, "what was refused is not charged"
    assert (await kept.store.add_or_join(asked("Question 1")))[1] == "joined"
    await added(kept.store, asked("Another", scope=STRANGERS[0]))
    ends: list[Callable[[], Awaitable[object]]] = [
        lambda: kept.store.finish(rows[0].research_id, "one", answered()),
        lambda: kept.store.cancel(rows[1].research_id, ALICE),
        lambda: kept.store.forget(ALICE, rows[2].research_id),
    ]
    for number, end in enumerate(ends):
        await end()
        await added(kept.store, asked(f"One more {number}"))
        with pytest.raises(errors.TooManyWorking):
            await kept.store.add_or_join(asked("Another"))


async def test_questions_in_flight_have_so_many_bytes_and_no_more(
    kept: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite", "redis"):
        monkeypatch.setattr(f"parallel_mcp.stores.{module}.MAX_WORKING_BYTES", 3000)
    for number in range(2):
        await added(kept.store, asked(f"{number}" + "ü" * 600))
    with pytest.raises(errors.TooManyWorking):
        await kept.store.add_or_join(asked("2" + "ü" * 600))
    await added(kept.store, asked("A short one"))


async def test_a_waiter_is_noted_with_the_question_itself(kept: StoreUnderTest) -> None:
    new = replace(asked(), waiter="a call")
    row = await added(kept.store, new)
    still = await kept.store.cancel(row.research_id, ALICE)
    assert still is not None
    assert still.status == "working"
    await kept.store.add_or_join(replace(asked(), waiter="another"))
    await kept.store.leave(row.research_id, "a call")
    assert (await kept.store.cancel(row.research_id, ALICE)).status == "working"  # type: ignore[union-attr]
    await kept.store.leave(row.research_id, "another")
    assert (await kept.store.cancel(row.research_id, ALICE)).status == "cancelled"  # type: ignore[union-attr]


async def test_history_reads_no_answers(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.finish(row.research_id, "one", answered())
    [listed] = await kept.store.list(ALICE)
    assert (listed.status, listed.answer) == ("completed", None)
    assert content_of(await kept.store.get(row.research_id, ALICE)) == "Because."


async def test_a_cancelled_row_is_not_claimed(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    stopped = await kept.store.cancel(seen.research_id, ALICE)
    assert stopped is not None
    for row in (seen, stopped):
        assert await kept.store.claim(row, "two", 0.01, None) is None


# History


async def test_history_is_newest_first_and_paged(kept: StoreUnderTest) -> None:
    ids = []
    for number in range(7):
        # Some at the same instant, but the order must still be total.
        kept.clock.pass_by(number % 2)
        ids.append((await added(kept.store, asked(f"Question {number}"))).research_id)
    whole = [row.research_id for row in await kept.store.list(ALICE)]
    assert set(whole) == set(ids)
    assert whole[0] in ids[-2:]
    pages, before = [], None
    while page := await kept.store.list(ALICE, before, 3):
        pages.append([row.research_id for row in page])
        before = page[-1].research_id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one for page in pages for one in page] == whole


async def test_history_from_behind_an_unknown_id_is_empty(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await added(kept.store, asked(scope=STRANGERS[0]))
    assert await kept.store.list(ALICE, "nobody's") == []
    assert await kept.store.list(STRANGERS[0], row.research_id) == []


async def test_an_empty_payer_and_origin_mean_every_one_of_the_caller(kept: StoreUnderTest) -> None:
    for scope in (ALICE, *STRANGERS):
        await added(kept.store, asked(scope=scope))
    found = await kept.store.list(Scope(ALICE.caller, "", ""))
    assert {row.scope for row in found} == {ALICE, STRANGERS[1], STRANGERS[2]}
    assert len(await kept.store.list(Scope(ALICE.caller, ALICE.payer, ""))) == 2
    assert (await lines(kept.store, Scope(ALICE.caller, "", "")))[0] == 3


async def test_a_row_is_forgotten(kept: StoreUnderTest) -> None:
    row = await over(kept.store, await added(kept.store, asked()))
    assert await kept.store.forget(ALICE, row.research_id) == 1
    assert await kept.store.get(row.research_id, ALICE) is None
    assert await kept.store.list(ALICE) == []
    assert await lines(kept.store) == (1, 0.01, 0.0)
    await added(kept.store, asked())


async def test_forgetting_everything_spares_what_is_under_way(kept: StoreUnderTest) -> None:
    await over(kept.store, await added(kept.store, asked("One")))
    row = await added(kept.store, asked("Two"))
    await kept.store.finish((await added(kept.store, asked("Three"))).research_id, "one", failed())
    assert await kept.store.forget(ALICE) == 2
    assert [row.research_id for row in await kept.store.list(ALICE)] == [row.research_id]


async def test_an_answer_to_what_was_forgotten_under_way_is_paid_all_the_same(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    assert await kept.store.forget(ALICE, row.research_id) == 1
    assert await kept.store.renew(row.research_id, "one") is None
    assert await kept.store.finish(row.research_id, "one", answered()) is None
    assert await lines(kept.store) == (1, 0.01, 0.0)
    await added(kept.store, asked())


async def test_what_is_older_than_the_retention_is_gone(kept: StoreUnderTest) -> None:
    row = await over(kept.store, await added(kept.store, asked("Old")))
    abandoned = await added(kept.store, asked("Abandoned"))
    await kept.store.release(abandoned.research_id, "one", sent=True)
    kept.clock.pass_by(29 * 86400)
    young = await over(kept.store, await added(kept.store, asked("Young")))
    assert content_of(await kept.store.get(row.research_id, ALICE)) == "Because."
    kept.clock.pass_by(2 * 86400)
    assert [row.research_id for row in await kept.store.list(ALICE)] == [young.research_id]
    assert await kept.store.get(row.research_id, ALICE) is None
    assert await kept.store.get(abandoned.research_id, ALICE) is None
    await added(kept.store, asked("Abandoned", reuse=10**9))
    await added(kept.store, asked("Old", reuse=10**9))


async def test_what_is_held_is_kept_however_old(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    kept.clock.pass_by(31 * 86400 - 10)
    renewed = await kept.store.renew(row.research_id, "one")
    # Longer than the retention time without a renewal, so nobody can know whether it is still wanted.
    assert renewed is None
    row = await added(kept.store, asked("Renewed"))
    for _ in range(62):
        kept.clock.pass_by(86400 / 2)
        assert await kept.store.renew(row.research_id, "one") is not None
    assert content_of(await kept.store.finish(row.research_id, "one", answered())) == "Because."
    kept.clock.pass_by(86400)
    assert content_of(await kept.store.get(row.research_id, ALICE)) == "Because."


# The ledger


async def test_a_charge_is_possibly_billed_until_it_is_settled(kept: StoreUnderTest) -> None:
    # A line or a settlement is committed with the store's next transaction, so its own next call sees it.
    other = kept.another()
    first = await kept.store.charge(ALICE, "speed", 0.005, None)
    second = await other.charge(ALICE, "speed", 0.005, None)
    third = await kept.store.charge(ALICE, "speed", 0.005, None)
    assert len({first, second, third}) == 3
    await other.spent(ALICE)
    assert await lines(kept.store) == (3, 0.015, 0.015)
    await kept.store.settle(first, "billed")
    assert await lines(kept.store) == (3, 0.015, 0.01)
    await kept.store.settle(second, "maybe")
    await other.settle(third, "unsent")
    assert (await lines(other))[0] == 2
    assert await lines(kept.store) == (2, 0.01, 0.005)


async def test_settling_twice_is_settling_once(kept: StoreUnderTest) -> None:
    charge = await kept.store.charge(ALICE, "speed", 0.005, None)
    other = await kept.store.charge(ALICE, "speed", 0.005, None)
    for _ in range(2):
        await kept.store.settle(charge, "unsent")
        await kept.store.settle(other, "billed")
    assert await lines(kept.store) == (1, 0.005, 0.0)


async def test_what_is_free_leaves_no_line(kept: StoreUnderTest) -> None:
    charge = await kept.store.charge(ALICE, "speed", 0, 0.001)
    await kept.store.settle(charge, "billed")
    await added(kept.store, asked(price=0, budget=0.001))
    assert list(await kept.store.spent(ALICE)) == []


async def test_the_ledger_is_told_by_day_and_model_newest_first(kept: StoreUnderTest) -> None:
    await kept.store.charge(ALICE, "speed", 0.005, None)
    kept.clock.pass_by(86400)
    await kept.store.charge(ALICE, "speed", 0.005, None)
    await kept.store.charge(ALICE, "core", 0.025, None)
    await kept.store.charge(STRANGERS[0], "core", 0.025, None)
    await kept.store.charge(STRANGERS[1], "core", 0.025, None)
    on_progress = [(line.model, line.requests, line.usd) for line in await kept.store.spent(ALICE)]
    assert on_progress == [("core", 1, 0.025), ("speed", 1, 0.005), ("speed", 1, 0.005)]
    days = [line.day for line in await kept.store.spent(ALICE)]
    assert days[0] == days[1] > days[2]
    assert len(await kept.store.spent(ALICE, 1)) == 2


async def test_a_question_past_the_budget_is_refused_and_leaves_nothing(kept: StoreUnderTest) -> None:
    await added(kept.store, asked("One", budget=0.025))
    await added(kept.store, asked("Two", budget=0.025))
    with pytest.raises(errors.BudgetReached, match=r"\$0\.020 of today's \$0\.03"):
        await kept.store.add_or_join(asked("Three", budget=0.025))
    assert len(await kept.store.list(ALICE)) == 2
    assert await lines(kept.store) == (2, 0.02, 0.02)
    with pytest.raises(errors.BudgetReached):
        await kept.store.charge(ALICE, "base", 0.01, 0.025)
    await kept.store.charge(ALICE, "speed", 0.005, 0.025)


async def test_joining_passes_the_budget(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked(budget=0.01))
    joined, _ = await kept.store.add_or_join(asked(budget=0.01))
    assert joined.research_id == row.research_id


async def test_a_takeover_past_the_budget_is_refused_and_changes_nothing(kept: StoreUnderTest) -> None:
    seen = await lapsed(kept)
    with pytest.raises(errors.BudgetReached):
        await kept.store.claim(seen, "two", 0.01, 0.015)
    same = await kept.store.get(seen.research_id, ALICE)
    assert same is not None
    assert replace(same, read_at=0) == replace(seen, read_at=0)
    assert await kept.store.claim(seen, "two", 0.01, 0.02) is not None


async def test_the_budget_is_of_a_payer_whoever_calls(kept: StoreUnderTest) -> None:
    await kept.store.charge(ALICE, "base", 0.01, 0.015)
    with pytest.raises(errors.BudgetReached):
        await kept.store.charge(STRANGERS[0], "base", 0.01, 0.015)
    await kept.store.charge(STRANGERS[1], "base", 0.01, 0.015)


async def test_the_budget_is_of_a_day(kept: StoreUnderTest) -> None:
    await kept.store.charge(ALICE, "base", 0.01, 0.01)
    kept.clock.pass_by(86400)
    await kept.store.charge(ALICE, "base", 0.01, 0.01)


async def test_what_was_given_back_can_be_spent_again(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked(budget=0.01))
    await kept.store.finish(row.research_id, "one", failed("Refused."))
    await added(kept.store, asked(budget=0.01))


async def test_a_budget_holds_when_everybody_asks_at_once(kept: StoreUnderTest) -> None:
    stores = [kept.store, kept.another(), kept.another()]
    refused = 0

    async def ask(number: int) -> None:
        nonlocal refused
        try:
            if number % 2:
                await stores[number % 3].charge(ALICE, "base", 0.01, 0.1)
            else:
                await stores[number % 3].add_or_join(asked(f"Question {number}", budget=0.1))
        except errors.BudgetReached:
            refused += 1

    async with anyio.create_task_group() as group:
        for number in range(40):
            group.start_soon(ask, number)
    assert refused == 30
    assert await lines(kept.store) == (10, 0.1, 0.1)


async def test_a_store_that_was_closed_opens_again(kept: StoreUnderTest) -> None:
    row = await added(kept.store, asked())
    await kept.store.close()  # type: ignore[attr-defined]
    again = await kept.store.get(row.research_id, ALICE)
    # Rows in memory go with it.
    assert (again is None) == (kept.kind == "memory")
