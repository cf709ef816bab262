"""Requests that do not quite follow the specification, over a real socket and from a real browser."""

import json
import shutil
from typing import Any

import httpx2
import pytest

from tests.support.processes import Serve
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
# Without the browser's own check, so that ours is tested.
QUIET.append("--disable-features=LocalNetworkAccessChecks")
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
ERAS = ["2025-06-18", MODERN]


def a_call(era: str, number: Any = 1) -> tuple[dict[str, str], dict[str, Any]]:
    """The headers, without Accept, and the body of a call to web_answer."""
    headers = {"content-type": "application/json", "mcp-protocol-version": era}
    params: dict[str, Any] = {"name": "web_answer", "arguments": {"question": "Why?"}}
    if era == MODERN:
        headers |= {"mcp-method": "tools/call", "mcp-name": "web_answer"}
        params["_meta"] = META
    return headers, {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def message_in(response: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC response, from JSON or from the last event."""
    if response.headers["content-type"].startswith("application/json"):
        return dict(response.json())
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return dict(json.loads(events[-1]))


@pytest.fixture
async def http() -> Any:
    # No default Accept, unlike httpx2.
    async with httpx2.AsyncClient(headers={"accept": ""}, trust_env=False, timeout=20) as client:
        del client.headers["accept"]
        yield client


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/json", "text/event-stream", "application/*", "text/html, */*;q=0.1"]
)
async def test_a_call_is_served_whatever_it_accepts(
    served: Serve, http: httpx2.AsyncClient, era: str, accept: str | None
) -> None:
    headers, body = a_call(era)
    if accept is not None:
        headers["accept"] = accept
    async with served() as url:
        response = await http.post(f"{url}/mcp", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert "Why?" in message_in(response)["result"]["content"][0]["text"]
    if accept == "application/json":
        assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("era", ERAS)
async def test_a_trailing_slash_is_served_and_not_redirected(served: Serve, http: httpx2.AsyncClient, era: str) -> None:
    headers, body = a_call(era)
    async with served() as url:
        response = await http.post(f"{url}/mcp/", json=body, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("number", [None, 1.5, 1.0, True, [1], {}])
async def test_an_id_that_cannot_be_answered_is_an_invalid_request(
    served: Serve, http: httpx2.AsyncClient, upstream: Upstream, era: str, number: Any
) -> None:
    headers, body = a_call(era, number)
    async with served() as url:
        response = await http.post(f"{url}/mcp", json=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32600
    assert "string or a whole number" in response.json()["error"]["message"]
    assert not upstream.received


@pytest.mark.parametrize("era", ERAS)
async def test_a_byte_order_mark_before_the_message_is_skipped(
    served: Serve, http: httpx2.AsyncClient, era: str
) -> None:
    headers, body = a_call(era)
    async with served() as url:
        response = await http.post(f"{url}/mcp", content=b"\xef\xbb\xbf" + json.dumps(body).encode(), headers=headers)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "body", [b"", b"nothing", b"[]", b"{}", b'"text"', b'{"jsonrpc": "1.0", "method": "tools/list", "id": 1}']
)
@pytest.mark.parametrize("era", ERAS)
async def test_a_body_that_is_no_message_is_told_what_to_send(
    served: Serve, http: httpx2.AsyncClient, era: str, body: bytes
) -> None:
    headers, _ = a_call(era)
    async with served() as url:
        response = await http.post(f"{url}/mcp", content=body, headers=headers)
    assert response.status_code == 400
    message = response.json()["error"]["message"]
    assert len(message) > 10
    assert "pydantic" not in response.text
    assert "validation error" not in response.text.lower()


async def test_a_person_with_a_browser_is_told_what_this_is(served: Serve, http: httpx2.AsyncClient) -> None:
    async with served(access_tokens={"alice": "t" * 32}) as url:
        response = await http.get(url)
    assert response.status_code == 200
    assert "MCP server" in response.text
    assert "/mcp" in response.text


async def test_a_preflight_is_answered_before_anybody_is_asked_for_a_token(
    served: Serve, http: httpx2.AsyncClient
) -> None:
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name",
    }
    async with served(access_tokens={"alice": "t" * 32}, allowed_origins=("https://app.example",)) as url:
        allowed = await http.options(f"{url}/mcp", headers=headers)
        foreign = await http.options(f"{url}/mcp", headers={**headers, "origin": "https://evil.example"})
        refused = await http.post(f"{url}/mcp", headers={"origin": "https://app.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert foreign.status_code == 400
    assert "access-control-allow-origin" not in foreign.headers
    # A page can read why it was refused.
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


PAGE = """async ([url, token, headers, body]) => {
  const response = await fetch(url + '/mcp', {method: 'POST', body: JSON.stringify(body),
    headers: {...headers, authorization: 'Bearer ' + token, accept: 'application/json, text/event-stream'}});
  return [response.status, response.headers.get('www-authenticate'), await response.text()];
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("era", ERAS)
async def test_a_page_in_a_real_browser_calls_a_tool_from_an_allowed_origin_only(served: Serve, era: str) -> None:
    playwright_api = pytest.importorskip("playwright.async_api")
    headers, body = a_call(era)
    token = "t" * 32
    async with served(access_tokens={"pages": token}) as page_url, playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = await browser.new_page()
        # Another port of this machine is another origin, which is always allowed.
        await page.goto(f"{page_url.replace('127.0.0.1', 'localhost')}/healthz")
        async with served(access_tokens={"alice": token}) as url:
            status, _, said = await page.evaluate(PAGE, [url, token, headers, body])
            refused, challenge, _ = await page.evaluate(PAGE, [url, "wrong", headers, body])
            await page.route("https://evil.example/", lambda route: route.fulfill(body="<p>", content_type="text/html"))
            await page.goto("https://evil.example/")
            with pytest.raises(playwright_api.Error, match="Failed to fetch"):
                await page.evaluate(PAGE, [url, token, headers, body])
        await browser.close()
    assert status == 200, said
    assert "Why?" in said
    assert refused == 401
    assert "Bearer" in challenge
