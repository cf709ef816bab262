"""Letting go: a run continues when a host gives up on it, and stops when it should."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.models import PRICES, Question
from parallel_mcp.research import ResearchService
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import (
    CONFIG,
    LOCAL,
    LONG,
    QUESTION,
    SOON,
    OpenService,
    ProgressLog,
    asked,
    eventually,
    ignore,
    requests_paid,
    resumed,
)
from tests.support.upstream import Peer, RawUpstream, Upstream, chunk, raw_upstream

pytestmark = pytest.mark.anyio

SPEED = Question(text="Why?", model="speed")


async def waiting(store: SQLiteStore, count: int) -> None:
    """Wait until this many calls are noted as waiting."""
    await eventually(lambda: store._file._connection is not None and _noted(store) == count)


def _noted(store: SQLiteStore) -> int:
    assert store._file._connection is not None
    return int(store._file._connection.execute("SELECT count(*) FROM waiting").fetchone()[0])


async def test_a_call_that_its_host_cancels_only_lets_go(service: ResearchService, upstream: Upstream) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with anyio.create_task_group() as group:
        group.start_soon(service.wait, LOCAL, row.research_id, LONG, ignore)
        await upstream.requests(1)
        group.cancel_scope.cancel()
    gate.set()
    found, sent = await resumed(service, row.research_id)
    assert (found.status, found.attempts, sent) == ("completed", 1, False)
    assert upstream.closed == 0
    assert len(upstream.received) == 1


async def test_a_question_that_its_host_cancels_while_it_is_taken_in_is_worked_on(
    service: ResearchService, upstream: Upstream
) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await service.ask(LOCAL, QUESTION)
    row, sent = await asked(service)
    assert (row.status, sent) == ("completed", False)
    assert len(upstream.received) == 1


async def test_a_wait_that_is_over_lets_go(service: ResearchService, upstream: Upstream) -> None:
    gate = upstream.hold()
    row, sent = await asked(service, seconds=0.05)
    assert (row.status, row.attempts, sent) == ("working", 1, True)
    gate.set()
    row, sent = await resumed(service, row.research_id)
    assert (row.status, sent) == ("completed", False)
    assert len(upstream.received) == 1


async def test_a_cancel_stops_the_research_and_closes_its_request(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await upstream.requests(1)
    stopped = await service.cancel(LOCAL, row.research_id)
    await upstream.until(lambda self: self.closed == 1, SOON)
    assert (stopped.status, stopped.may_be_billed, stopped.cost_usd) == ("cancelled", True, PRICES["base"])
    assert [(day.requests, day.maybe_usd) for day in await store.spent(LOCAL.scope)] == [(1, PRICES["base"])]


async def test_a_cancel_does_not_stop_what_another_call_waits_for(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with anyio.create_task_group() as group:
        group.start_soon(service.wait, LOCAL, row.research_id, LONG, ignore)
        await waiting(store, 1)
        assert (await service.cancel(LOCAL, row.research_id)).status == "working"
        gate.set()
    found, _ = await resumed(service, row.research_id)
    assert found.status == "completed"
    assert upstream.closed == 0


async def test_a_cancel_does_not_stop_what_a_call_of_another_process_waits_for(
    service: ResearchService, open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with open_service() as other, anyio.create_task_group() as group:
        group.start_soon(other.wait, LOCAL, row.research_id, LONG, ignore)
        await waiting(store, 1)
        assert (await service.cancel(LOCAL, row.research_id)).status == "working"
        gate.set()


async def test_the_last_one_out_stops_it(service: ResearchService, upstream: Upstream, store: SQLiteStore) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with anyio.create_task_group() as group:
        group.start_soon(service.wait, LOCAL, row.research_id, LONG, ignore)
        await waiting(store, 1)
        assert (await service.cancel(LOCAL, row.research_id)).status == "working"
        group.cancel_scope.cancel()
    assert (await service.cancel(LOCAL, row.research_id)).status == "cancelled"
    await upstream.until(lambda self: self.closed == 1, SOON)


async def test_a_cancel_in_one_process_closes_the_request_of_another(
    service: ResearchService, open_service: OpenService, upstream: Upstream
) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await upstream.requests(1)
    async with open_service() as other:
        assert (await other.cancel(LOCAL, row.research_id)).status == "cancelled"
        await upstream.until(lambda self: self.closed == 1, SOON)


async def test_what_was_not_sent_yet_is_not_said_to_be_billed_when_it_is_stopped(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(per_minute=1) as service:
        await asked(service)
        held_back = ProgressLog()
        row, _ = await service.ask(LOCAL, Question(text="And then?", model="core"))
        async with anyio.create_task_group() as group:
            group.start_soon(service.wait, LOCAL, row.research_id, LONG, held_back)
            await held_back.until(lambda words: any("Waiting" in word for word in words))
            group.cancel_scope.cancel()
        stopped = await service.cancel(LOCAL, row.research_id)
    assert (stopped.status, stopped.attempts, stopped.cost_usd, stopped.may_be_billed) == ("cancelled", 0, 0.0, False)
    assert await requests_paid(store) == 1
    assert len(upstream.received) == 1


async def test_a_cancel_of_what_is_over_gives_it_as_it_is(service: ResearchService, upstream: Upstream) -> None:
    row, _ = await asked(service)
    again = await service.cancel(LOCAL, row.research_id)
    assert (again.status, again.answer) == ("completed", row.answer)


async def test_a_cancel_and_an_answer_in_the_same_moment_agree_on_what_happened(
    service: ResearchService, upstream: Upstream
) -> None:
    for before in range(20):
        gate = upstream.hold()
        row, _ = await service.ask(LOCAL, QUESTION, fresh=True)
        await upstream.requests(before + 1)
        gate.set()
        for _ in range(before):
            await anyio.lowlevel.checkpoint()
        said = await service.cancel(LOCAL, row.research_id)
        kept = await service.store.get(row.research_id, LOCAL.scope)
        assert kept is not None
        assert (kept.status, kept.answer) == (said.status, said.answer)
        assert (said.status == "completed") is (said.answer is not None)


async def test_a_web_answer_is_aborted_when_its_last_caller_has_gone(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    upstream.hold()
    async with anyio.create_task_group() as group:
        group.start_soon(service.answer, LOCAL, SPEED, ignore)
        group.start_soon(service.answer, LOCAL, SPEED, ignore)
        await upstream.requests(1)
        group.cancel_scope.cancel()
    await upstream.until(lambda self: self.closed == 1, SOON)
    assert len(upstream.received) == 1


async def test_a_web_answer_goes_on_while_one_caller_is_left(service: ResearchService, upstream: Upstream) -> None:
    gate = upstream.hold()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            first = anyio.CancelScope()

            async def leave() -> None:
                with first:
                    await service.answer(LOCAL, SPEED, ignore)

            group.start_soon(leave)
            await upstream.requests(1)
            # The same listener twice: each call counts for itself.
            group.start_soon(service.answer, LOCAL, SPEED, ignore)
            await anyio.lowlevel.checkpoint()
            first.cancel()
            await anyio.lowlevel.checkpoint()
            gate.set()
    assert upstream.closed == 0
    assert len(upstream.received) == 1


async def test_a_new_caller_does_not_join_a_web_answer_that_is_being_stopped(
    service: ResearchService, upstream: Upstream
) -> None:
    upstream.hold()
    async with anyio.create_task_group() as group:
        group.start_soon(service.answer, LOCAL, SPEED, ignore)
        await upstream.requests(1)
        group.cancel_scope.cancel()
    gate = upstream.hold()
    gate.set()
    with anyio.fail_after(20):
        answer = await service.answer(LOCAL, SPEED, ignore)
    assert not answer.reused
    assert len(upstream.received) == 2


async def test_an_aborted_web_answer_counts_as_possibly_billed(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    upstream.hold()
    async with open_service() as service, anyio.create_task_group() as group:
        group.start_soon(service.answer, LOCAL, SPEED, ignore)
        await upstream.requests(1)
        group.cancel_scope.cancel()
    assert [(day.requests, day.maybe_usd) for day in await store.spent(LOCAL.scope)] == [(1, PRICES["speed"])]


WHOLE = "".join(f"data: {item}\n\n" for item in (chunk("It is "), chunk("so."), chunk(interaction_id="i"), "[DONE]"))


@asynccontextmanager
async def answering(
    store: SQLiteStore, answer: Callable[[Peer], Awaitable[None]]
) -> AsyncIterator[tuple[ResearchService, RawUpstream]]:
    """A service whose upstream answers byte by byte."""
    async with raw_upstream(answer) as upstream, open_http(upstream.url) as http:
        client = ChatClient(http, Pacing(300), timeouts=dict.fromkeys(PRICES, 60.0), prices=PRICES)
        async with ResearchService(client, store, CONFIG).open() as service:
            yield service, upstream


@pytest.mark.parametrize("pieces", [[WHOLE], WHOLE.splitlines(keepends=True)], ids=["one piece", "many pieces"])
async def test_an_answer_that_has_arrived_survives_a_cancel(pieces: list[str], store: SQLiteStore) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        for piece in pieces:
            await peer.send(piece)

    async with answering(store, answer) as (service, _):
        row, _ = await service.ask(LOCAL, QUESTION)
        words = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(service.wait, LOCAL, row.research_id, LONG, lambda _: words.set())
            await words.wait()
            group.cancel_scope.cancel()
        stopped = await service.cancel(LOCAL, row.research_id)
    assert stopped.status == "completed"
    assert stopped.answer is not None
    assert (stopped.answer.content, stopped.answer.warnings) == ("It is so.", ())


async def test_an_answer_that_has_arrived_is_stored_when_the_process_is_told_to_go(store: SQLiteStore) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send(WHOLE)

    with anyio.CancelScope() as process:
        async with answering(store, answer) as (service, _):
            row, _ = await service.ask(LOCAL, QUESTION)
            await service.wait(LOCAL, row.research_id, LONG, lambda _: process.cancel())
    assert process.cancelled_caught
    stored = await store.get(row.research_id, LOCAL.scope)
    assert stored is not None
    assert stored.status == "completed"


async def test_a_request_that_was_sent_is_closed_soon_after_its_cancel(store: SQLiteStore) -> None:
    async def answer(peer: Peer) -> None:
        await peer.head(200, "text/event-stream")
        await peer.send(f"data: {chunk('It is')}\n\n")
        await peer.gone()

    async with answering(store, answer) as (service, upstream):
        with anyio.fail_after(10), anyio.CancelScope() as scope:
            await service.answer(LOCAL, SPEED, lambda _: scope.cancel())
        await upstream.until(lambda upstream: upstream.open == 0)
    assert len(upstream.received) == 1
    assert [(day.requests, day.maybe_usd) for day in await store.spent(LOCAL.scope)] == [(1, PRICES["speed"])]
