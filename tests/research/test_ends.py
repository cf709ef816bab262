"""How research runs end: answers that the store cannot take yet, failures, and the end of the service."""

import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from parallel_mcp import errors
from parallel_mcp.models import Answer, Question
from parallel_mcp.research import ResearchService
from parallel_mcp.research.records import Outcome, ResearchRun
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import (
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
from tests.support.upstream import Received, Upstream, chunk, completion, connections, events

pytestmark = pytest.mark.anyio

SPEED = Question(text="Why?", model="speed")


class File:
    """A store's file that can be removed and restored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.away = path.with_suffix(".away")

    def take(self) -> None:
        self.path.rename(self.away)
        self.path.mkdir()

    def bring(self) -> None:
        self.path.rmdir()
        self.away.rename(self.path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another program writes to it and does not finish."""
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "research.sqlite3")


@pytest.fixture
async def store(file: File) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(file.path)
    yield store
    await store.close()


async def test_who_waits_has_the_answer_though_the_store_cannot_take_it(
    service: ResearchService, upstream: Upstream, file: File
) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await upstream.requests(1)
    file.take()
    gate.set()
    found, _ = await resumed(service, row.research_id)
    assert found.answer is not None
    assert found.answer.content == "An answer to: Why?"
    file.bring()


class SlowToStore(SQLiteStore):
    """A store with a slow disk: an outcome is written once `let` is set."""

    def __init__(self) -> None:
        super().__init__(None)
        self.reached = anyio.Event()
        self.let = anyio.Event()

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        self.reached.set()
        await self.let.wait()
        return await super().finish(research_id, holder, outcome)


async def test_a_run_has_finished_once_it_is_stored_and_not_before(open_service: OpenService) -> None:
    store = SlowToStore()
    async with open_service(over=store) as service:
        row, _ = await service.ask(LOCAL, QUESTION)
        with anyio.fail_after(20):
            await store.reached.wait()
        early, _ = await resumed(service, row.research_id, seconds=0)
        store.let.set()
        first, _ = await resumed(service, row.research_id)
        again, _ = await resumed(service, row.research_id)
    await store.close()
    assert (early.status, first.status) == ("working", "completed")
    assert (again.finished_at, again.answer) == (first.finished_at, first.answer)


async def test_a_worker_that_holds_an_answer_keeps_trying_to_store_it(
    service: ResearchService, upstream: Upstream, file: File, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await upstream.requests(1)
    file.take()
    gate.set()
    await resumed(service, row.research_id)
    file.bring()
    await eventually(lambda: not service._research_in_flight)
    kept = await store.get(row.research_id, LOCAL.scope)
    assert kept is not None
    assert (kept.status, kept.attempts) == ("completed", 1)


async def test_at_shutdown_there_is_one_more_attempt_to_store_an_answer(
    open_service: OpenService, upstream: Upstream, file: File, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    async with open_service() as service:
        row, _ = await service.ask(LOCAL, QUESTION)
        await upstream.requests(1)
        file.take()
        gate.set()
        await resumed(service, row.research_id)
        file.bring()
    kept = await store.get(row.research_id, LOCAL.scope)
    assert kept is not None
    assert kept.status == "completed"


async def test_a_wait_comes_to_its_end_though_the_store_fails_meanwhile(
    service: ResearchService, upstream: Upstream, file: File
) -> None:
    gate = upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await upstream.requests(1)
    file.take()
    found, _ = await resumed(service, row.research_id, seconds=0.2)
    assert found.status == "working"
    file.bring()
    gate.set()
    found, _ = await resumed(service, row.research_id)
    assert (found.status, found.attempts) == ("completed", 1)


async def test_without_the_store_nobody_elses_work_is_shown(
    service: ResearchService, upstream: Upstream, file: File, open_service: OpenService
) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with open_service() as other:
        file.take()
        with pytest.raises(errors.StoreFailed):
            await resumed(other, row.research_id)
        file.bring()


async def test_a_request_that_failed_after_it_was_sent_is_not_sent_again(
    service: ResearchService, upstream: Upstream
) -> None:
    async def cut(_: Received) -> Response:
        return events(chunk(""))

    upstream.reply = cut
    row, _ = await asked(service)
    assert (row.status, row.may_be_billed) == ("failed", True)
    assert row.error is not None
    assert "may have been billed" in row.error
    again, sent = await resumed(service, row.research_id)
    assert (again.error, sent) == (row.error, False)
    assert len(upstream.received) == 1


async def test_a_failed_research_is_seen_in_history_with_its_error(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=401)

    upstream.reply = refuse
    row, _ = await asked(service)
    assert row.error is not None
    assert "refused the API key" in row.error
    assert [(listed.status, listed.error) for listed in await store.list(LOCAL.scope)] == [("failed", row.error)]


async def test_a_mistake_of_ours_fails_one_research_and_neither_the_desk_nor_the_log_gives_anything_away(
    service: ResearchService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(question: Question, *_: Any, **__: Any) -> Answer:
        raise ValueError(f"cannot read {question.text}")

    monkeypatch.setattr("parallel_mcp.chat.answer", stumble)
    row, _ = await asked(service)
    assert row.status == "failed"
    with pytest.raises(errors.AnswerUnreadable):
        await service.answer(LOCAL, SPEED, ignore)
    assert (await asked(service, fresh=True))[0].status == "failed"
    assert "ValueError" in caplog.text
    assert "Why?" not in caplog.text


async def test_a_desk_that_closes_gives_its_leases_back(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    upstream.hold()
    with anyio.fail_after(SOON):
        async with open_service() as service:
            row, _ = await service.ask(LOCAL, QUESTION)
            await upstream.requests(1)
    kept = await store.get(row.research_id, LOCAL.scope)
    assert kept is not None
    assert (kept.status, kept.holder, kept.attempts) == ("working", None, 1)
    await upstream.until(lambda self: self.closed == 1, SOON)


async def test_an_answer_that_is_being_checked_when_the_desk_closes_is_stored(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    """The check has hardly begun: the process that does it is only being started."""

    async def reply(_: Received) -> Response:
        return JSONResponse(completion('{"n": 1}'))

    upstream.reply = reply
    with anyio.fail_after(SOON):
        async with open_service() as service:
            question = Question(text="Why?", model="base", output_schema={"type": "object"})
            row, _ = await service.ask(LOCAL, question)
            await upstream.requests(1)
            await eventually(lambda: connections(service._client.http)[0] == 0)
    kept = await store.get(row.research_id, LOCAL.scope)
    assert kept is not None
    assert kept.answer is not None
    assert (kept.status, kept.answer.data) == ("completed", {"n": 1})


async def test_what_was_not_sent_when_the_desk_closes_costs_nothing(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    async with open_service(per_minute=1) as service:
        await asked(service)
        held_back = ProgressLog()
        row, _ = await service.ask(LOCAL, Question(text="And then?", model="base"))
        async with anyio.create_task_group() as group:
            group.start_soon(service.wait, LOCAL, row.research_id, LONG, held_back)
            await held_back.until(lambda words: bool(words))
            group.cancel_scope.cancel()
    kept = await store.get(row.research_id, LOCAL.scope)
    assert kept is not None
    assert (kept.status, kept.attempts, kept.cost_usd) == ("working", 0, 0.0)
    assert await requests_paid(store) == 1


async def test_a_store_that_another_program_holds_does_not_hold_the_desk_at_its_end(
    open_service: OpenService, upstream: Upstream, file: File
) -> None:
    gate = upstream.hold()
    storing = Question(text="What is being stored?", model="base")
    async with open_service() as service:
        await service.ask(LOCAL, storing)
        await service.ask(LOCAL, QUESTION)
        await upstream.requests(2)
        with file.held():
            gate.set()
            gate = upstream.hold()
            await eventually(lambda: any(in_flight.outcome for in_flight in service._research_in_flight.values()))
            flights = list(service._research_in_flight.values())
            with anyio.CancelScope(deadline=anyio.current_time() + SOON, shield=True) as scope:
                service._close()
                for in_flight in flights:
                    await in_flight.ended.wait()
            assert not scope.cancelled_caught


async def test_a_desk_that_has_closed_sends_nothing_more(open_service: OpenService, upstream: Upstream) -> None:
    async with open_service() as service:
        pass
    with pytest.raises(errors.NotReady, match="shutting down"):
        await service.ask(LOCAL, QUESTION)
    with pytest.raises(errors.NotReady, match="shutting down"):
        await service.answer(LOCAL, SPEED, ignore)
    assert upstream.received == []


async def test_a_desk_that_closes_takes_nothing_over(
    open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    upstream.hold()
    async with open_service() as service:
        row, _ = await service.ask(LOCAL, QUESTION)
        await upstream.requests(1)
    found, sent = await service.wait(LOCAL, row.research_id, 0, ignore)
    assert (found.status, found.holder, found.attempts, sent) == ("working", None, 1, False)
    assert len(upstream.received) == 1


async def test_a_web_answer_goes_out_though_the_store_cannot_be_opened(
    service: ResearchService, upstream: Upstream, file: File, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkdir(file.path)
    answer = await service.answer(LOCAL, SPEED, ignore)
    assert answer.content == "An answer to: Why?"
    await eventually(lambda: "without a line in the ledger" in caplog.text)
    with pytest.raises(errors.StoreFailed, match="cannot be opened"):
        await service.ask(LOCAL, QUESTION)
    caplog.set_level(logging.CRITICAL)


async def test_with_a_budget_set_and_the_store_gone_a_web_answer_is_refused_by_name(
    open_service: OpenService, upstream: Upstream, file: File
) -> None:
    os.mkdir(file.path)
    async with open_service(budget_usd=1.0) as service:
        with pytest.raises(errors.StoreFailed, match="there is a daily budget"):
            await service.answer(LOCAL, SPEED, ignore)
    assert upstream.received == []
