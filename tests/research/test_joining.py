"""Research, "Joining", "caller, payer" and "reused": who shares a row, and who does not."""

from dataclasses import replace

import anyio
import pytest
from starlette.responses import Response

from parallel_mcp import errors, research
from parallel_mcp.models import Answer, Question
from parallel_mcp.research import Desk, Row, join_key
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.research.conftest import (
    LOCAL,
    LONG,
    QUESTION,
    Clock,
    Heard,
    OpenDesk,
    asked,
    asker_of,
    requests_paid,
    resumed,
    unheard,
)
from tests.upstream import Received, Upstream, chunk, events

pytestmark = pytest.mark.anyio

STRANGERS = {
    "caller": asker_of(caller="another"),
    "payer": asker_of(key="another key"),
    "origin": asker_of(origin="sandbox"),
}
OTHER_QUESTIONS = {
    "question": QUESTION.model_copy(update={"text": "Why not?"}),
    "model": QUESTION.model_copy(update={"model": "core"}),
    "instructions": QUESTION.model_copy(update={"instructions": "Be brief."}),
    "schema": QUESTION.model_copy(update={"output_schema": {"type": "object"}}),
    "follow-up": QUESTION.model_copy(update={"follow_up_to": "i-1"}),
}


async def test_the_same_question_in_flight_joins_the_row(desk: Desk, upstream: Upstream) -> None:
    gate = upstream.hold()
    found: list[tuple[Row, bool]] = []
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(lambda: _add(found, desk))
        await upstream.requests(1)
        gate.set()
    assert len({row.research_id for row, _ in found}) == 1
    assert [sent for _, sent in found].count(True) == 1
    assert len(upstream.received) == 1


async def _add(found: list[tuple[Row, bool]], desk: Desk) -> None:
    found.append(await asked(desk))


async def test_it_joins_in_flight_even_where_reuse_is_off_and_fresh_is_asked_for(
    open_desk: OpenDesk, upstream: Upstream
) -> None:
    upstream.hold()
    async with open_desk(reuse_seconds=0) as desk:
        first, _ = await desk.ask(LOCAL, QUESTION)
        second, entry = await desk.ask(LOCAL, QUESTION, fresh=True)
    assert (second.research_id, entry) == (first.research_id, "joined")


async def test_a_question_joins_across_processes(
    desk: Desk, open_desk: OpenDesk, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    async with open_desk() as other, anyio.create_task_group() as group:
        first, _ = await desk.ask(LOCAL, QUESTION)
        found: list[tuple[Row, bool]] = []
        group.start_soon(_add, found, other)
        await upstream.requests(1)
        gate.set()
    (row, sent) = found[0]
    assert (row.research_id, row.status, sent) == (first.research_id, "completed", False)
    assert len(upstream.received) == 1
    assert await requests_paid(store) == 1


async def test_a_finished_row_is_given_back_within_reuse_seconds(desk: Desk, upstream: Upstream, clock: Clock) -> None:
    first, sent = await asked(desk)
    clock.ahead += 599
    second, sent_again = await asked(desk)
    assert (sent, sent_again) == (True, False)
    assert second.research_id == first.research_id
    assert second.answer == first.answer
    assert len(upstream.received) == 1


async def test_a_finished_row_is_not_given_back_after_reuse_seconds(
    desk: Desk, upstream: Upstream, clock: Clock
) -> None:
    first, _ = await asked(desk)
    clock.ahead += 601
    second, sent = await asked(desk)
    assert sent
    assert second.research_id != first.research_id
    assert len(upstream.received) == 2


async def test_reuse_can_be_turned_off(open_desk: OpenDesk, upstream: Upstream) -> None:
    async with open_desk(reuse_seconds=0) as desk:
        await asked(desk)
        _, sent = await asked(desk)
    assert sent
    assert len(upstream.received) == 2


async def test_fresh_skips_a_finished_answer(desk: Desk, upstream: Upstream) -> None:
    first, _ = await asked(desk)
    second, sent = await asked(desk, fresh=True)
    assert sent
    assert second.research_id != first.research_id


async def test_an_answer_that_may_be_cut_short_is_not_reused(desk: Desk, upstream: Upstream) -> None:
    async def cut(_: Received) -> Response:
        return events(chunk("Half an ans"))

    upstream.reply = cut
    first, _ = await asked(desk)
    assert first.answer is not None
    assert first.answer.content == "Half an ans"
    _, sent = await asked(desk)
    assert sent


async def test_failed_rows_are_never_reused(desk: Desk, upstream: Upstream) -> None:
    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=422)

    upstream.reply = refuse
    failed, _ = await asked(desk)
    upstream.reply = None
    answered, sent = await asked(desk)
    assert (failed.status, answered.status, sent) == ("failed", "completed", True)
    assert answered.research_id != failed.research_id


async def test_cancelled_rows_are_never_reused(desk: Desk, upstream: Upstream) -> None:
    upstream.hold()
    row, _ = await desk.ask(LOCAL, QUESTION)
    await desk.cancel(LOCAL, row.research_id)
    again, entry = await desk.ask(LOCAL, QUESTION)
    assert entry == "added"
    assert again.research_id != row.research_id


@pytest.mark.parametrize("what", OTHER_QUESTIONS)
async def test_the_key_holds_every_part_of_the_question(what: str) -> None:
    assert join_key(LOCAL.scope, OTHER_QUESTIONS[what]) != join_key(LOCAL.scope, QUESTION)


async def test_the_key_holds_the_prompt_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = join_key(LOCAL.scope, QUESTION)
    monkeypatch.setattr(research, "PROMPT_VERSION", -1)
    assert join_key(LOCAL.scope, QUESTION) != before


async def test_the_order_in_which_a_schema_is_written_makes_no_other_question() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    two = {"properties": {"b": {"type": "string"}, "a": {"type": "string"}}, "type": "object"}
    first = QUESTION.model_copy(update={"output_schema": one})
    second = QUESTION.model_copy(update={"output_schema": two})
    assert join_key(LOCAL.scope, first) == join_key(LOCAL.scope, second)


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_or_reads_the_row(desk: Desk, upstream: Upstream, whose: str) -> None:
    stranger = STRANGERS[whose]
    row, _ = await asked(desk)
    with pytest.raises(errors.UnknownResearch):
        await resumed(desk, row.research_id, stranger)
    with pytest.raises(errors.UnknownResearch):
        await desk.cancel(stranger, row.research_id)
    assert await desk.store.list(stranger.scope) == []
    own, sent = await asked(desk, stranger)
    assert sent
    assert own.research_id != row.research_id


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_a_row_in_flight(desk: Desk, upstream: Upstream, whose: str) -> None:
    upstream.hold()
    row, _ = await desk.ask(LOCAL, QUESTION)
    other, entry = await desk.ask(STRANGERS[whose], QUESTION)
    assert entry == "added"
    assert other.research_id != row.research_id
    await upstream.requests(2)


async def test_a_question_goes_out_with_the_key_of_its_own_payer(desk: Desk, upstream: Upstream) -> None:
    await asked(desk, asker_of(key="one"))
    await asked(desk, asker_of(key="two"))
    assert [request.headers["authorization"] for request in upstream.received] == ["Bearer one", "Bearer two"]


async def test_keys_are_never_stored_or_shown(desk: Desk, store: SQLiteStore) -> None:
    asker = asker_of(key="very-secret")
    row, _ = await asked(desk, asker)
    stored = "\n".join(store._connection.iterdump())  # type: ignore[union-attr]
    assert row.research_id in stored
    assert "very-secret" not in stored
    assert "very-secret" not in repr((asker, row))


async def test_progress_reaches_all_who_joined_and_late_comers_get_the_words_so_far(
    desk: Desk, upstream: Upstream
) -> None:
    more = anyio.Event()

    async def slowly(_: Received) -> Response:
        async def lines():
            yield f"data: {chunk('One two')}\n\n"
            await more.wait()
            yield f"data: {chunk(' three.')}\n\ndata: [DONE]\n\n"

        response = events()
        response.body_iterator = lines()  # type: ignore[attr-defined]
        return response

    upstream.reply = slowly
    early, late = Heard(), Heard()
    row, _ = await desk.ask(LOCAL, QUESTION)
    async with anyio.create_task_group() as group:
        group.start_soon(desk.wait, LOCAL, row.research_id, LONG, early)
        await early.until(lambda words: "One two" in words)
        group.start_soon(desk.wait, LOCAL, row.research_id, LONG, late)
        await late.until(lambda words: words == ["One two"])
        more.set()


SPEED = Question(text="Why?", model="speed")


async def test_a_web_answer_joins_in_flight_within_one_process(
    desk: Desk, upstream: Upstream, store: SQLiteStore
) -> None:
    gate = upstream.hold()
    answers: list[Answer] = []

    async def call() -> None:
        answers.append(await desk.answer(LOCAL, SPEED, unheard))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(call)
            await upstream.requests(1)
            gate.set()
    assert len(upstream.received) == 1
    assert [answer.reused for answer in answers].count(True) == 49
    assert {replace_reused(answer) for answer in answers} == {replace_reused(answers[0])}
    assert await requests_paid(store) == 1


def replace_reused(answer: Answer) -> str:
    return answer.model_copy(update={"reused": False}).model_dump_json()


async def test_a_web_answer_keeps_no_row_and_is_not_given_again(
    desk: Desk, upstream: Upstream, store: SQLiteStore
) -> None:
    for _ in range(2):
        answer = await desk.answer(LOCAL, SPEED, unheard)
        assert not answer.reused
    assert await store.list(LOCAL.scope) == []
    assert len(upstream.received) == 2


@pytest.mark.parametrize("whose", STRANGERS)
async def test_another_scope_never_joins_a_web_answer(desk: Desk, upstream: Upstream, whose: str) -> None:
    gate = upstream.hold()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(desk.answer, LOCAL, SPEED, unheard)
            group.start_soon(desk.answer, STRANGERS[whose], SPEED, unheard)
            await upstream.requests(2)
            gate.set()


async def test_all_who_joined_a_web_answer_are_told_why_it_failed(desk: Desk, upstream: Upstream) -> None:
    gate = upstream.hold()

    async def refuse(_: Received) -> Response:
        return Response("{}", status_code=401)

    upstream.reply = refuse
    said: list[str] = []

    async def call() -> None:
        try:
            await desk.answer(LOCAL, SPEED, unheard)
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
    desk: Desk, open_desk: OpenDesk, upstream: Upstream
) -> None:
    by_asking, _ = await asked(desk)
    by_id, _ = await resumed(desk, by_asking.research_id)
    async with open_desk() as other:
        elsewhere, _ = await asked(other)
    for row in (by_id, elsewhere):
        assert replace(row, read_at=0) == replace(by_asking, read_at=0)
