"""What some clients take for the end of a line: it must leave every transport as an escape, or they wait for ever."""

import json
from typing import Any

import anyio
import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from tests.http.test_protocol import ERAS, META, MODERN, a_call, message_in
from tests.support.pipes import _call, started
from tests.support.processes import Serve
from tests.support.upstream import Received, Upstream, completion

pytestmark = pytest.mark.anyio

SAID = "one\u2028two\u2029three\x85four"
BASIS = [
    {
        "field": "output",
        "reasoning": "r\u2028r",
        "confidence": "high",
        "citations": [{"url": "https://a.example", "title": "t\u2029t", "excerpts": ["e\u2028e"]}],
    }
]


@pytest.fixture
def separated(upstream: Upstream) -> Upstream:
    async def reply(received: Received) -> Response:
        content = json.dumps({"answer": SAID}) if "response_format" in received.body else SAID
        return JSONResponse(completion(content, basis=BASIS))

    upstream.reply = reply
    return upstream


def check(written: bytes, answer: dict[str, Any]) -> None:
    for separator in ("\u2028", "\u2029", "\x85"):
        assert separator.encode() not in written
    assert "\n".join(written.decode().splitlines()) == written.decode().removesuffix("\n")
    assert answer["content"] == "one\u2028two\u2029three four"
    assert answer["citations"][0]["excerpts"] == ["e\u2028e"]


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "application/json, text/event-stream"])
@pytest.mark.parametrize("era", ERAS)
async def test_line_separators_leave_http_as_escapes(
    served: Serve, separated: Upstream, era: str, accept: str, tool: str
) -> None:
    headers, body = a_call(era)
    body["params"] |= {"name": tool, "arguments": {"question": f"Why {SAID}?"}}
    if era == MODERN:
        headers["mcp-name"] = tool
    async with served() as url, httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        response = await http.post(f"{url}/mcp", json=body, headers={**headers, "accept": accept})
    (line,) = [line for line in response.content.split(b"\n") if line.removeprefix(b"data: ").startswith(b"{")]
    result = json.loads(line.removeprefix(b"data: "))["result"]["structuredContent"]
    check(response.content.replace(b"\r\n", b"\n"), result.get("answer", result))


@pytest.mark.parametrize("meta", [None, META])
@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_line_separators_leave_stdio_as_escapes(separated: Upstream, tool: str, meta: Any) -> None:
    async with started(separated) as pipe:
        if meta is None:
            await pipe.shake_hands()
        await pipe.send("tools/call", {**_call(f"Why {SAID}?", meta), "name": tool}, 2)
        with anyio.fail_after(20):
            while b'"id":2' not in (line := await pipe.lines.receive_until(b"\n", 1_000_000)):
                pass
    result = json.loads(line)["result"]["structuredContent"]
    check(line, result.get("answer", result))


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_half_a_surrogate_pair_from_upstream_loses_no_answer_on_any_transport(
    served: Serve, upstream: Upstream, transport: str, tool: str
) -> None:
    async def reply(received: Received) -> Response:
        half = "So \ud83d and \U0001f600."
        content = json.dumps({"answer": half}) if "response_format" in received.body else half
        return Response(json.dumps(completion(content)), media_type="application/json")

    upstream.reply = reply
    headers, body = a_call(MODERN)
    body["params"]["name"] = headers["mcp-name"] = tool
    if transport == "http":
        async with served() as url, httpx2.AsyncClient(trust_env=False, timeout=20) as http:
            response = await http.post(f"{url}/mcp", json=body, headers=headers)
        result = message_in(response)["result"]["structuredContent"]
    else:
        async with started(upstream) as pipe:
            await pipe.send("tools/call", body["params"], 2)
            result = (await pipe.answer(2))["result"]["structuredContent"]
    assert result.get("answer", result)["content"] == "So \ufffd and \U0001f600."
