"""What an operator sees: connected spans, figures that add up, and no question in either."""

import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from opentelemetry import propagate, trace
from starlette.responses import JSONResponse

from parallel_mcp import telemetry
from tests.support.processes import Serve
from tests.support.telescope import Telescope
from tests.support.upstream import Received, Upstream

pytestmark = pytest.mark.anyio

QUESTION = "Which quokka wrote the sonnet?"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


async def _posted(url: str, era: str, meta: dict[str, Any], headers: dict[str, str]) -> Any:
    """One call of web_answer, written by hand because the SDK's client adds its own trace."""
    call: dict[str, Any] = {"name": "web_answer", "arguments": {"question": QUESTION}}
    common = {"accept": "application/json, text/event-stream"}
    if era == "modern":
        call["_meta"] = {**MODERN, **meta}
        common |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "web_answer"}
    else:
        call["_meta"] = meta
        common |= {"mcp-protocol-version": "2025-11-25"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    async with httpx2.AsyncClient() as http:
        response = await http.post(f"{url}/mcp", json=message, headers={**common, **headers})
    assert response.status_code == 200, response.text
    return response.text


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize(
    ("meta", "headers", "expected"),
    [
        ({"traceparent": PARENT}, {}, PARENT),
        ({}, {"traceparent": PARENT}, PARENT),
        ({"traceparent": PARENT}, {"traceparent": OTHER}, PARENT),
        ({"traceparent": "rubbish"}, {}, None),
    ],
    ids=["in _meta", "in a header", "_meta wins", "rubbish"],
)
async def test_the_callers_trace_goes_on_through_the_call_to_the_request(
    served: Serve, telescope: Telescope, era: str, meta: dict[str, Any], headers: dict[str, str], expected: str | None
) -> None:
    async with served() as url:
        await _posted(url, era, meta, headers)
    [call], [chat] = telescope.spans("tools/call web_answer"), telescope.spans("chat speed")
    assert chat.parent is not None
    assert chat.parent.span_id == call.context.span_id
    assert chat.context.trace_id == call.context.trace_id
    if expected is None:
        assert call.parent is None
    else:
        assert call.parent is not None
        assert trace.format_trace_id(call.parent.trace_id) == expected.split("-")[1]
        assert trace.format_span_id(call.parent.span_id) == expected.split("-")[2]


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("where", ["meta", "headers"])
async def test_nothing_but_the_parent_is_taken_of_a_callers_trace(
    served: Serve, telescope: Telescope, era: str, where: str
) -> None:
    given = {"traceparent": PARENT, "tracestate": "stranger=planted", "baggage": "stranger=planted"}
    before = propagate.get_global_textmap()
    telemetry.take_traceparent_only()
    try:
        async with served() as url:
            await _posted(url, era, given if where == "meta" else {}, given if where == "headers" else {})
    finally:
        propagate.set_global_textmap(before)
    [call] = telescope.spans("tools/call web_answer")
    assert call.parent is not None
    assert trace.format_trace_id(call.parent.trace_id) == PARENT.split("-")[1]
    assert not call.context.trace_state
    assert not call.parent.trace_state


@pytest.mark.parametrize(("tool", "model", "cost"), [("web_answer", "speed", 0.005), ("deep_research", "base", 0.01)])
async def test_the_request_is_a_child_that_says_model_status_attempts_and_cost(
    served: Serve, upstream: Upstream, telescope: Telescope, tool: str, model: str, cost: float
) -> None:
    async with served() as url, Client(f"{url}/mcp") as client:
        await client.call_tool(tool, {"question": QUESTION})
        await client.call_tool(tool, {"question": QUESTION})
    first, second = telescope.spans(f"tools/call {tool}")
    chat = telescope.spans(f"chat {model}")[0]
    host, _, port = upstream.url.removeprefix("http://").partition(":")
    assert chat.kind == trace.SpanKind.CLIENT
    assert chat.parent is not None
    assert chat.parent.span_id == first.context.span_id
    assert dict(chat.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "parallel",
        "gen_ai.request.model": model,
        "server.address": host,
        "server.port": int(port),
        "http.response.status_code": 200,
        "parallel_mcp.attempts": 1,
        "parallel_mcp.cost_usd": cost,
        "parallel_mcp.billed": "yes",
    }
    assert (first.attributes or {})["parallel_mcp.reused"] is False
    assert (first.attributes or {})["parallel_mcp.cost_usd"] == cost
    # A finished research run is reused; a finished web answer is asked again.
    assert (second.attributes or {})["parallel_mcp.reused"] is (tool == "deep_research")
    assert QUESTION not in telescope.everything()
    assert "quokka" not in telescope.everything()


async def test_a_research_belongs_to_the_call_that_sent_it_and_later_calls_are_linked_to_that(
    served: Serve, upstream: Upstream, telescope: Telescope
) -> None:
    gate = upstream.hold()
    async with served(wait_seconds=0.05) as url, Client(f"{url}/mcp") as client:
        working = await client.call_tool("deep_research", {"question": QUESTION})
        research_id = (working.structured_content or {})["research_id"]
        await client.call_tool("deep_research", {"research_id": research_id})
        await client.call_tool("deep_research", {"question": QUESTION})
        gate.set()
        done = working
        with anyio.fail_after(10):
            while (done.structured_content or {})["status"] == "working":
                done = await client.call_tool("deep_research", {"research_id": research_id})
    sender, *others = telescope.spans("tools/call deep_research")
    [chat] = telescope.spans("chat base")
    assert chat.parent is not None
    assert chat.parent.span_id == sender.context.span_id
    assert not sender.links
    for other in others[:2]:
        assert [link.context.span_id for link in other.links] == [sender.context.span_id]
        assert (other.attributes or {})["parallel_mcp.research.id"] == research_id


async def test_a_shared_web_answer_is_linked_to_the_call_that_sent_it(
    served: Serve, upstream: Upstream, telescope: Telescope
) -> None:
    gate = upstream.hold()
    joined = anyio.Event()

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        joined.set()

    async with (
        served() as url,
        Client(f"{url}/mcp") as one,
        Client(f"{url}/mcp") as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(one.call_tool, "web_answer", {"question": QUESTION})
        await upstream.requests(1)
        group.start_soon(lambda: two.call_tool("web_answer", {"question": QUESTION}, progress_callback=heard))
        with anyio.fail_after(10):
            await joined.wait()
        gate.set()
    assert len(telescope.spans("chat speed")) == 1
    sender = telescope.spans("chat speed")[0].parent
    assert sender is not None
    linked = [span for span in telescope.spans("tools/call web_answer") if span.links]
    assert [link.context.span_id for span in linked for link in span.links] == [sender.span_id]


async def test_every_failed_attempt_is_an_event_and_the_error_is_named_by_its_kind(
    served: Serve, upstream: Upstream, telescope: Telescope
) -> None:
    async def failing(received: Received) -> JSONResponse:
        return JSONResponse({"error": {"message": received.question}}, status_code=503, headers={"retry-after": "0"})

    upstream.reply = failing
    async with served() as url, Client(f"{url}/mcp") as client:
        result = await client.call_tool("web_answer", {"question": QUESTION})
    assert result.is_error
    [call], [chat] = telescope.spans("tools/call web_answer"), telescope.spans("chat speed")
    attributes = dict(chat.attributes or {})
    assert attributes["error.type"] == "service_failed"
    assert attributes["http.response.status_code"] == 503
    assert attributes["parallel_mcp.attempts"] == 3
    assert attributes["parallel_mcp.billed"] == "no"
    assert attributes["parallel_mcp.cost_usd"] == 0
    assert chat.status.status_code == trace.StatusCode.ERROR
    assert not chat.status.description
    assert [event.name for event in chat.events] == ["attempt_failed"] * 3
    assert (call.attributes or {})["parallel_mcp.error.kind"] == "service_failed"
    points = telescope.points()
    assert points["parallel_mcp.tool.calls"][0].attributes["error.type"] == "service_failed"
    assert points["gen_ai.client.operation.duration"][0].attributes["error.type"] == "service_failed"
    assert "parallel_mcp.cost" not in points
    assert "quokka" not in telescope.everything()


async def test_a_request_that_was_let_go_of_counts_as_perhaps_billed(
    served: Serve, upstream: Upstream, telescope: Telescope
) -> None:
    upstream.hold()
    async with served(wait_seconds=0.05) as url, Client(f"{url}/mcp") as client:
        working = await client.call_tool("deep_research", {"question": QUESTION})
        await upstream.requests(1)
        research_id = (working.structured_content or {})["research_id"]
        await client.call_tool("deep_research", {"research_id": research_id, "cancel": True})
    [chat] = telescope.spans("chat base")
    assert (chat.attributes or {})["parallel_mcp.billed"] == "maybe"
    [cost] = telescope.points()["parallel_mcp.cost"]
    assert cost.value == pytest.approx(0.01)
    assert dict(cost.attributes) == {"gen_ai.request.model": "base", "parallel_mcp.billed": "maybe"}


async def test_calls_time_spend_and_waiting_are_measured(served: Serve, telescope: Telescope) -> None:
    async with served() as url, Client(f"{url}/mcp") as client:
        await client.call_tool("web_answer", {"question": QUESTION})
        await client.call_tool("deep_research", {"question": QUESTION, "model": "core"})
        await client.call_tool("deep_research", {"cancel": True})
        await client.call_tool("deep_research", {"fresh": "perhaps"})
    points = telescope.points()
    calls = {
        (point.attributes["gen_ai.tool.name"], point.attributes.get("error.type")): point.value
        for point in points["parallel_mcp.tool.calls"]
    }
    assert calls == {("web_answer", None): 1, ("deep_research", None): 1, ("deep_research", "bad_argument"): 2}
    durations = points["mcp.server.operation.duration"]
    assert sum(point.count for point in durations) == 4
    assert {point.attributes["mcp.method.name"] for point in durations} == {"tools/call"}
    chats = points["gen_ai.client.operation.duration"]
    assert {point.attributes["gen_ai.request.model"]: point.count for point in chats} == {"speed": 1, "core": 1}
    firsts = points["gen_ai.client.operation.time_to_first_chunk"]
    assert {point.attributes["gen_ai.request.model"]: point.count for point in firsts} == {"speed": 1, "core": 1}
    spent = {point.attributes["gen_ai.request.model"]: point.value for point in points["parallel_mcp.cost"]}
    assert spent == {"speed": pytest.approx(0.005), "core": pytest.approx(0.025)}
    assert sum(point.count for point in points["parallel_mcp.pacing.wait.duration"]) == 2
    assert "quokka" not in json.dumps([dict(point.attributes) for many in points.values() for point in many])


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", QUESTION])
async def test_names_that_a_caller_makes_up_do_not_get_into_a_span(
    served: Serve, telescope: Telescope, method: str
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": QUESTION, "arguments": {}}}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    async with served() as url, httpx2.AsyncClient() as http:
        response = await http.post(f"{url}/mcp", json=message, headers=headers)
    assert "error" in response.text
    assert telescope.exporter.get_finished_spans()
    assert "quokka" not in telescope.everything()
