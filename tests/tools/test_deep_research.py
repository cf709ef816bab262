"""`deep_research`, from the question to the answer, over as many calls as it takes."""

from typing import Any

import anyio
import pytest
from mcp import Client
from starlette.responses import JSONResponse, Response

from parallel_mcp import http, sandbox
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.clients import Connect, Progress, beating, links_of, refused, settings_for, structured, text_of
from tests.support.upstream import BASIS, Received, Upstream, completion, serving

pytestmark = pytest.mark.anyio

SHORT = 0.2


async def research(client: Client, **arguments: Any) -> tuple[dict[str, Any], str]:
    """Both channels of a successful result."""
    with anyio.fail_after(20):
        result = await client.call_tool("deep_research", arguments)
    return await structured(client, "deep_research", result), text_of(result)


async def test_an_answer_stands_whole_in_each_channel(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        found, text = await research(client, question="Why?")
    assert (found["status"], found["question"], found["model"], found["attempts"]) == ("completed", "Why?", "base", 1)
    answer = found["answer"]
    assert (answer["content"], answer["cost_usd"], answer["reused"]) == ("An answer to: Why?", 0.01, False)
    assert answer["citations"] == [
        {"number": 1, "url": "https://example.com/a", "title": "A", "excerpts": ["It is so."]}
    ]
    assert [entry["citations"] for entry in answer["basis"]] == [[1]]
    assert text.startswith("An answer to: Why?")
    assert '[1] A - https://example.com/a\n    "It is so."' in text


@pytest.mark.parametrize("model", ["lite", "base", "core"])
async def test_the_model_that_was_asked_for_is_asked(connect: Connect, upstream: Upstream, model: str) -> None:
    async with connect() as client:
        found, _ = await research(client, question="Why?", model=model)
    assert upstream.received[0].body["model"] == found["model"] == found["answer"]["model"] == model


async def test_a_call_returns_by_wait_seconds_with_an_id_and_says_what_to_call_next(
    connect: Connect, upstream: Upstream
) -> None:
    upstream.hold()
    async with connect(wait_seconds=SHORT) as client:
        with anyio.fail_after(5 * SHORT + 4):
            found, text = await research(client, question="Why?")
        assert (found["status"], found["answer"], found["error"]) == ("working", None, None)
        assert f"research_id={found['research_id']!r}" in text
        assert "nothing failed" in text
        assert "again now" in text


async def test_the_id_picks_it_up(connect: Connect, upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connect(wait_seconds=SHORT) as client:
        begun, _ = await research(client, question="Why?")
        still, _ = await research(client, research_id=begun["research_id"])
        assert still["status"] == "working"
        gate.set()
        found, text = await research(client, research_id=begun["research_id"])
        again, said = await research(client, research_id=begun["research_id"])
    assert (found["research_id"], found["status"], found["attempts"]) == (begun["research_id"], "completed", 1)
    assert not found["answer"]["reused"], "nobody had it before"
    assert "old" not in text
    assert again["answer"]["reused"]
    assert " s old; this call sent no new request" in said
    assert len(upstream.received) == 1


async def test_the_same_question_picks_it_up(connect: Connect, upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connect(wait_seconds=SHORT) as client:
        begun, _ = await research(client, question="Why?")
        gate.set()
        found, text = await research(client, question="Why?")
        again, _ = await research(client, question="Why?")
    assert (found["research_id"], found["answer"]["reused"]) == (begun["research_id"], False)
    assert "old" not in text
    assert (again["research_id"], again["answer"]["reused"]) == (begun["research_id"], True)
    assert len(upstream.received) == 1


async def test_a_call_that_the_host_gives_up_on_goes_on(connect: Connect, upstream: Upstream) -> None:
    gate = upstream.hold()
    async with connect() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "deep_research", {"question": "Why?"})
            await upstream.requests(1)
            group.cancel_scope.cancel()
        gate.set()
        found, _ = await research(client, question="Why?")
    assert (found["status"], found["attempts"]) == ("completed", 1)
    assert len(upstream.received) == 1
    assert upstream.closed == 0


@pytest.mark.parametrize("leg", ["auto", "legacy"])
async def test_over_http_a_disconnect_only_lets_go(upstream: Upstream, leg: str) -> None:
    gate = upstream.hold()
    async with serving(http.application(settings_for(upstream))) as url:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                async with Client(f"{url}/mcp", mode=leg) as client:
                    await client.call_tool("deep_research", {"question": "Why?"})

            group.start_soon(call)
            await upstream.requests(1)
            group.cancel_scope.cancel()
        gate.set()
        async with Client(f"{url}/mcp", mode=leg) as client:
            found, _ = await research(client, question="Why?")
    assert (found["status"], found["attempts"]) == ("completed", 1)
    assert len(upstream.received) == 1


async def test_a_cancel_stops_it_and_says_that_it_may_have_been_billed(connect: Connect, upstream: Upstream) -> None:
    upstream.hold()
    async with connect(wait_seconds=SHORT) as client:
        begun, _ = await research(client, question="Why?")
        stopped, text = await research(client, research_id=begun["research_id"], cancel=True)
        await upstream.until(lambda self: self.closed == 1, 5)
        assert stopped["status"] == "cancelled"
        assert "may have been billed" in text
        asked_for = await refused(client, "deep_research", research_id=begun["research_id"])
        assert "was cancelled" in asked_for
        assert "may have been billed" in asked_for
        upstream.hold().set()
        anew, _ = await research(client, question="Why?")
    assert anew["research_id"] != begun["research_id"]


async def test_a_cancel_does_not_stop_it_while_another_call_waits(connect: Connect, upstream: Upstream) -> None:
    gate = upstream.hold()
    found: list[dict[str, Any]] = []
    progress = Progress()
    async with connect() as client, anyio.create_task_group() as group:

        async def wait() -> None:
            result = await client.call_tool("deep_research", {"question": "Why?"}, progress_callback=progress)
            found.append(await structured(client, "deep_research", result))

        group.start_soon(wait)
        await upstream.requests(1)
        history = await client.read_resource("research://")
        research_id = history.contents[0].text.partition('"research_id": "')[2].partition('"')[0]  # type: ignore[union-attr]
        let_go, text = await research(client, research_id=research_id, cancel=True)
        assert let_go["status"] == "working"
        assert "another call is waiting" in text
        assert "billed" not in text
        gate.set()
    assert found[0]["status"] == "completed"
    assert upstream.closed == 0


async def test_a_cancel_does_not_claim_a_bill_where_nothing_was_sent(connect: Connect, upstream: Upstream) -> None:
    async with connect(wait_seconds=SHORT, requests_per_minute=1) as client:
        await research(client, question="Why?")
        waiting, _ = await research(client, question="And then?")
        assert waiting["status"] == "working"
        _, text = await research(client, research_id=waiting["research_id"], cancel=True)
    assert "Nothing was billed" in text
    assert len(upstream.received) == 1


async def test_a_cancel_of_what_is_done_gives_the_answer(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        done, _ = await research(client, question="Why?")
        again, text = await research(client, research_id=done["research_id"], cancel=True)
    assert again["answer"]["content"] == done["answer"]["content"]
    assert text.startswith("An answer to: Why?")


async def test_a_finished_answer_is_given_again_with_its_age_and_fresh_asks_anew(
    connect: Connect, upstream: Upstream
) -> None:
    async with connect() as client:
        first, text = await research(client, question="Why?")
        assert "old" not in text
        again, text = await research(client, question="Why?")
        assert (again["answer"]["reused"], again["research_id"]) == (True, first["research_id"])
        assert " s old; this call sent no new request" in text
        assert "fresh=true" in text
        fresh, text = await research(client, question="Why?", fresh=True)
    assert not fresh["answer"]["reused"]
    assert "old" not in text
    assert len(upstream.received) == 2


async def test_results_are_equal_whichever_way_they_were_reached(connect: Connect, upstream: Upstream) -> None:
    async with connect() as client:
        first, _ = await research(client, question="Why?")
        ways = [
            (await research(client, question="Why?"))[0],
            (await research(client, research_id=first["research_id"]))[0],
        ]
    first["answer"]["reused"] = True
    assert ways == [first, first]


async def test_a_failed_research_is_an_error_and_seen_in_history(connect: Connect, upstream: Upstream) -> None:
    async def refuse(_: Received) -> Response:
        return JSONResponse({"error": {"message": "No credit.", "ref_id": "ref-1"}}, status_code=402)

    upstream.reply = refuse
    async with connect() as client:
        text = await refused(client, "deep_research", question="Why?")
        assert "No credit" in text
        assert "ref-1" in text
        assert "billed" not in text
        history = (await client.read_resource("research://")).contents[0].text  # type: ignore[union-attr]
    assert '"status": "failed"' in history
    assert "No credit" in history


async def test_the_confidence_and_the_sources_of_each_field_are_in_the_text(
    connect: Connect, upstream: Upstream
) -> None:
    schema = {"type": "object", "properties": {"who": {"type": "string"}, "when": {"type": "string"}}}
    basis = [{**BASIS[0], "field": "who"}, {**BASIS[0], "field": "when", "confidence": "low"}]

    async def reply(_: Received) -> Response:
        return JSONResponse(completion('{"who": "A", "when": "then"}', basis=basis))

    upstream.reply = reply
    async with connect() as client:
        found, text = await research(client, question="Who, and when?", output_schema=schema)
    assert found["answer"]["data"] == {"who": "A", "when": "then"}
    assert [entry["field"] for entry in found["answer"]["basis"]] == ["who", "when"]
    assert "- who: [1], confidence high\n- when: [1], confidence low" in text


async def test_a_long_answer_is_cut_in_both_channels_and_read_whole_behind_its_link(
    connect: Connect, upstream: Upstream
) -> None:
    paragraphs = "\n\n".join(f'Paragraph {number}, "quoted".' for number in range(1_000))

    async def reply(_: Received) -> Response:
        return JSONResponse(completion(paragraphs, basis=BASIS))

    upstream.reply = reply
    async with connect(max_result_chars=4_000) as client:
        result = await client.call_tool("deep_research", {"question": "Why?"})
        found = await structured(client, "deep_research", result)
        assert len(text_of(result)) <= 4_000
        assert "the text was cut" in text_of(result)
        assert "https://example.com/a" in text_of(result)
        assert "the text was cut" in " ".join(found["answer"]["warnings"])
        assert found["answer"]["citations"][0]["url"] == "https://example.com/a"
        (link,) = links_of(result)
        whole = await client.read_resource(link.uri)
    assert 'Paragraph 999, "quoted".' in whole.contents[0].text  # type: ignore[union-attr]


async def test_the_store_cannot_be_opened_and_only_research_says_so(
    connect: Connect, upstream: Upstream, tmp_path: Any
) -> None:
    async with connect(store=str(tmp_path)) as client:
        assert not (await client.call_tool("web_answer", {"question": "Why?"})).is_error
        text = await refused(client, "deep_research", question="Why?")
        assert "cannot be opened" in text
        assert "PARALLEL_MCP_STORE" in text


async def test_the_budget_refuses_by_name_and_the_finished_answer_is_still_given(
    connect: Connect, upstream: Upstream
) -> None:
    async with connect(daily_budget_usd=0.012) as client:
        await research(client, question="Why?")
        for tool in ("web_answer", "deep_research"):
            assert "PARALLEL_MCP_DAILY_BUDGET_USD" in await refused(client, tool, question="And then?")
        again, _ = await research(client, question="Why?")
    assert again["answer"]["reused"]


async def test_progress_comes_at_once_and_by_the_clock_and_rises_and_ends_with_the_result(
    upstream: Upstream, era: str
) -> None:
    gate = upstream.hold()
    progress = Progress()
    async with beating(upstream, era, heartbeat=0.1) as client:
        async with anyio.create_task_group() as group:
            # Five times 300 ms for the first, and five times a scaled heartbeat for each of the others.
            with anyio.fail_after(1.5):
                group.start_soon(
                    lambda: client.call_tool("deep_research", {"question": "Why?"}, progress_callback=progress)
                )
                await progress.until(lambda self: self.values)
            for _ in range(5):
                await progress.more(5 * 0.15)
            gate.set()
        reports = len(progress.values)
        await client.list_tools()
        assert len(progress.values) == reports
    assert all(one < two for one, two in zip(progress.values, progress.values[1:], strict=False))
    assert progress.messages[0].startswith("Researching with base, which usually takes 15-100 s")
    assert all(len(message) <= 200 for message in progress.messages)


async def test_pacing_is_shown_as_progress(connect: Connect, upstream: Upstream) -> None:
    progress = Progress()
    async with connect(requests_per_minute=1) as client, anyio.create_task_group() as group:
        await research(client, question="Why?")
        group.start_soon(
            lambda: client.call_tool("deep_research", {"question": "And then?"}, progress_callback=progress)
        )
        await progress.until(lambda self: any("1 requests a minute" in message for message in self.messages))
        group.cancel_scope.cancel()


async def test_the_sandbox_is_free_and_says_where_its_answers_come_from(era: str) -> None:
    question, _ = sandbox.example_questions()
    async with Client(build(Settings(sandbox=True)), mode=era) as client:
        found, text = await research(client, question=question, model="lite")
    assert found["answer"]["cost_usd"] == 0
    assert "from documents on this machine, not from the web" in text
