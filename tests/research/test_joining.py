"""Joining and reuse: who shares a row, and who does not."""

from collections.abc import AsyncIterator
from dataclasses import replace

import anyio
import pytest
from starlette.responses import Response

from parallel_mcp import errors
from parallel_mcp.chat import PROMPT_VERSIONS
from parallel_mcp.models import Answer, Model, Question
from parallel_mcp.research import ResearchRun, ResearchService, join_key
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import (
    LOCAL,
    LONG,
    QUESTION,
    Clock,
    OpenService,
    ProgressLog,
    asked,
    ignore,
    principal_of,
    requests_paid,
    resumed,
)
from tests.support.upstream import Received, Upstream, chunk, events

pytestmark = pytest.mark.anyio

STRANGERS = {
    "caller": principal_of(caller="another"),
    "payer": principal_of(key="another key"),
    "origin": principal_of(origin="sandbox"),
}
OTHER_QUESTIONS = {
    "question": QUESTION.model_copy(update={"text": "Why not?"}),
    "model": QUESTION.model_copy(update={"model": Model.CORE}),
    "instructions": QUESTION.model_copy(update={"instructions": "Be brief."}),
    "schema": QUESTION.model_copy(update={"output_schema": {"type": "object"}}),
    "follow-up": QUESTION.model_copy(update={"follow_up_to": "i-1"}),
}


async def test_the_same_question_in_flight_joins_the_row(service: ResearchService, upstream: Upstream) -> None:
    gate = upstream.hold()
    found: list[tuple[ResearchRun, bool]] = []
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(lambda: _add(found, service))
        await upstream.requests(1)
        gate.set()
    assert len({row.research_id for row, _ in found}) == 1
    assert [sent for _, sent in found].count(True) == 1
    assert len(upstream.received) == 1


async def _add(found: list[tuple[ResearchRun, bool]], service: ResearchService) -> None:
    found.append(await asked(service))


async def test_it_joins_in_flight_even_where_reuse_is_off_and_fresh_is_asked_for(
    open_service: OpenService, upstream: Upstream
) -> None:
    upstream.hold()
    async with open_service(reuse_seconds=0) as service:
        first, _ = await service.ask(LOCAL, QUESTION)
        second, entry = await service.ask(LOCAL, QUESTION, fresh=True)
    assert (second.research_id, entry) == (first.research_id, "joined")


async def test_a_question_joins_across_processes(
    service: ResearchService, open_service: OpenService, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    async with open_service() as other, anyio.create_task_group() as group:
        first, _ = await service.ask(LOCAL, QUESTION)
        found: list[tuple[ResearchRun, bool]] = []
        group.start_soon(_add, found, other)
        await upstream.requests(1)
        gate.set()
    (row, sent) = found[0]
    assert (row.research_id, row.status, sent) == (first.research_id, "completed", False)
    assert len(upstream.received) == 1
    assert await requests_paid(store) == 1


async def test_a_finished_row_is_given_back_within_reuse_seconds(
    service: ResearchService, upstream: Upstream, clock: Clock
) -> None:
    first, sent = await asked(service)
    clock.ahead += 599
    second, sent_again = await asked(service)
    assert (sent, sent_again) == (True, False)
    assert second.research_id == first.research_id
    assert second.answer == first.answer
    assert len(upstream.received) == 1


async def test_a_finished_row_is_not_given_back_after_reuse_seconds(
    service: ResearchService, upstream: Upstream, clock: Clock
) -> None:
    first, _ = await asked(service)
    clock.ahead += 601
    second, sent = await asked(service)
    assert sent
    assert second.research_id != first.research_id
    assert len(upstream.received) == 2


async def test_reuse_can_be_turned_off(open_service: OpenService, upstream: Upstream) -> None:
    async with open_service(reuse_seconds=0) as service:
        await asked(service)
        _, sent = await asked(service)
    assert sent
    assert len(upstream.received) == 2


async def test_fresh_skips_a_finished_answer(service: ResearchService, upstream: Upstream) -> None:
    first, _ = await asked(service)
    second, sent = await asked(service, fresh=True)
    assert sent
    assert second.research_id != first.research_id


async def test_an_answer_that_may_be_cut_short_is_not_reused(service: ResearchService, upstream: Upstream) -> None:
    async def cut(_: Received) -> Response:
        return events(chunk("Half an ans"))

    upstream.reply = cut
    first, _ = await asked(service)
    assert first.answer is not None
    assert first.answer.content == "Half an ans"
    _, sent = await asked(service)
    assert sent


async def test_failed_rows_are_never_reused(service: ResearchService, upstream: Upstream) -> None:
    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=422)

    upstream.reply = refuse
    failed, _ = await asked(service)
    upstream.reply = None
    answered, sent = await asked(service)
    assert (failed.status, answered.status, sent) == ("failed", "completed", True)
    assert answered.research_id != failed.research_id


async def test_cancelled_rows_are_never_reused(service: ResearchService, upstream: Upstream) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    await service.cancel(LOCAL, row.research_id)
    again, entry = await service.ask(LOCAL, QUESTION)
    assert entry == "added"
    assert again.research_id != row.research_id


@pytest.mark.parametrize("what", OTHER_QUESTIONS)
async def test_the_key_holds_every_part_of_the_question(what: str) -> None:
    assert join_key(LOCAL.scope, OTHER_QUESTIONS[what]) != join_key(LOCAL.scope, QUESTION)


async def test_the_key_holds_the_version_of_its_own_models_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = QUESTION.model_copy(update={"model": Model.SPEED})
    before = [join_key(LOCAL.scope, question) for question in (QUESTION, answered)]
    monkeypatch.setitem(PROMPT_VERSIONS, Model.SPEED, -1)
    after = [join_key(LOCAL.scope, question) for question in (QUESTION, answered)]
    assert after[0] == before[0]
    assert after[1] != before[1]


async def test_the_order_in_which_a_schema_is_written_makes_no_other_question() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    two = {"properties": {"b": {"type": "string"}, "a": {"type": "string"}}, "type": "object"}
    first = QUESTION.model_copy(update={"output_schema": one})
    second = QUESTION.model_copy(update={"output_schema": two})
    assert join_key(LOCAL.scope, first) == join_key(LOCAL.scope, second)


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_or_reads_the_row(
    service: ResearchService, upstream: Upstream, whose: str
) -> None:
    failure = STRANGERS[whose]
    row, _ = await asked(service)
    with pytest.raises(errors.UnknownResearch):
        await resumed(service, row.research_id, failure)
    with pytest.raises(errors.UnknownResearch):
        await service.cancel(failure, row.research_id)
    assert await service.store.list(failure.scope) == []
    own, sent = await asked(service, failure)
    assert sent
    assert own.research_id != row.research_id


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_a_row_in_flight(
    service: ResearchService, upstream: Upstream, whose: str
) -> None:
    upstream.hold()
    row, _ = await service.ask(LOCAL, QUESTION)
    other, entry = await service.ask(STRANGERS[whose], QUESTION)
    assert entry == "added"
    assert other.research_id != row.research_id
    await upstream.requests(2)


async def test_a_question_goes_out_with_the_key_of_its_own_payer(service: ResearchService, upstream: Upstream) -> None:
    await asked(service, principal_of(key="one"))
    await asked(service, principal_of(key="two"))
    assert [request.headers["authorization"] for request in upstream.received] == ["Bearer one", "Bearer two"]


async def test_keys_are_never_stored_or_shown(service: ResearchService, store: SQLiteStore) -> None:
    principal = principal_of(key="very-secret")
    row, _ = await asked(service, principal)
    stored = "\n".join(store._file._connection.iterdump())  # type: ignore[union-attr]
    assert row.research_id in stored
    assert "very-secret" not in stored
    assert "very-secret" not in repr((principal, row))


async def test_progress_reaches_all_who_joined_and_late_comers_get_the_words_so_far(
    service: ResearchService, upstream: Upstream
) -> None:
    more = anyio.Event()

    async def slowly(_: Received) -> Response:
        async def lines() -> AsyncIterator[str]:
            yield f"data: {chunk('One two')}\n\n"
            await more.wait()
            yield f"data: {chunk(' three.')}\n\ndata: [DONE]\n\n"

        response = events()
        response.body_iterator = lines()  # type: ignore[attr-defined]
        return response

    upstream.reply = slowly
    early, late = ProgressLog(), ProgressLog()
    row, _ = await service.ask(LOCAL, QUESTION)
    async with anyio.create_task_group() as group:
        group.start_soon(service.wait, LOCAL, row.research_id, LONG, early)
        await early.until(lambda words: "One two" in words)
        group.start_soon(service.wait, LOCAL, row.research_id, LONG, late)
        await late.until(lambda words: words == ["One two"])
        more.set()


SPEED = Question(text="Why?", model="speed")


async def test_a_web_answer_joins_in_flight_within_one_process(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    answers: list[Answer] = []

    async def call() -> None:
        answers.append(await service.answer(LOCAL, SPEED, ignore))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(call)
            await upstream.requests(1)
            gate.set()
    assert len(upstream.received) == 1
    assert {answer.model_dump_json() for answer in answers} == {answers[0].model_dump_json()}
    assert not answers[0].reused, "it is the first delivery for each of them"
    assert await requests_paid(store) == 1


async def test_a_web_answer_keeps_no_row_and_is_not_given_again(
    service: ResearchService, upstream: Upstream, store: SQLiteStore
) -> None:
    for _ in range(2):
        answer = await service.answer(LOCAL, SPEED, ignore)
        assert not answer.reused
    assert await store.list(LOCAL.scope) == []
    assert len(upstream.received) == 2


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_a_web_answer(service: ResearchService, upstream: Upstream, whose: str) -> None:
    gate = upstream.hold()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(service.answer, LOCAL, SPEED, ignore)
            group.start_soon(service.answer, STRANGERS[whose], SPEED, ignore)
            await upstream.requests(2)
            gate.set()


async def test_all_who_joined_a_web_answer_are_told_why_it_failed(service: ResearchService, upstream: Upstream) -> None:
    gate = upstream.hold()

    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=401)

    upstream.reply = refuse
    said: list[str] = []

    async def call() -> None:
        try:
            await service.answer(LOCAL, SPEED, ignore)
        except errors.KeyRefused as error:
            said.append(str(error))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(call)
            await upstream.requests(1)
            gate.set()
    assert len(said) == 3
    assert len(set(said)) == 1


async def test_the_result_is_the_same_whichever_way_it_was_reached(
    service: ResearchService, open_service: OpenService, upstream: Upstream
) -> None:
    by_asking, _ = await asked(service)
    by_id, _ = await resumed(service, by_asking.research_id)
    async with open_service() as other:
        elsewhere, _ = await asked(other)
    for row in (by_id, elsewhere):
        assert replace(row, read_at=0) == replace(by_asking, read_at=0)
