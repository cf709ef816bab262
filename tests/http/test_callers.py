"""Unknown callers are rejected, and nobody sees anybody else's research runs."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from parallel_mcp.http import application, is_loopback
from parallel_mcp.research import NewRun, Scope
from parallel_mcp.settings import Settings, SettingsError
from tests.support import polling
from tests.support.clients import text_of
from tests.support.processes import Serve, process
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

ANN, BOB = "ann-token-0123456789abcdef", "bob-token-0123456789abcdef"
TOKENS = f"ann:{ANN}, bob:{BOB}"
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


async def _status(url: str, *headers: tuple[Any, Any], content: bytes = b"{}") -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.post(f"{url}/mcp", content=content, headers=cast("Any", [*JSON.items(), *headers]))


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), extensions=[polling.Tasks()]) as client,
    ):
        yield client


# Starting


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "mcp.example.com", "127.0.0.1.example.com"]
)
def test_an_address_that_others_can_reach_is_not_served_to_unknown_callers(host: str) -> None:
    with pytest.raises(SettingsError, match=r"PARALLEL_MCP_ACCESS_TOKENS.*PARALLEL_MCP_BRING_YOUR_OWN_KEY"):
        application(Settings(host=host))
    application(Settings(host=host, access_tokens=TOKENS, allowed_hosts="a"))
    application(Settings(host=host, bring_your_own_key=True, allowed_hosts="a"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_loopback_needs_no_tokens(host: str) -> None:
    assert is_loopback(host)
    application(Settings(host=host))


async def test_the_command_refuses_to_start_for_strangers_and_says_how_it_would() -> None:
    async with process("http", "--host", "0.0.0.0", "--port", "0", "--store", "memory:") as running:
        assert running.stderr is not None
        with anyio.fail_after(30):
            said = b"".join([part async for part in running.stderr]).decode()
            assert await running.wait() == 2
    assert "PARALLEL_MCP_ACCESS_TOKENS" in said
    assert "Traceback" not in said


def test_a_token_that_can_be_guessed_is_warned_about_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        application(Settings(access_tokens=f"ann:{ANN}, bob:hunter2"))
    assert "bob" in caplog.text
    assert "ann" not in caplog.text
    assert "hunter2" not in caplog.text


# Who is calling


@pytest.mark.parametrize("mode", [{"access_tokens": TOKENS}, {"bring_your_own_key": True}], ids=["tokens", "keys"])
@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        ([], 401, None),
        ([("authorization", "")], 401, None),
        ([("authorization", "Bearer")], 401, None),
        ([("authorization", f"Basic {ANN}")], 401, None),
        ([("authorization", ANN)], 401, None),
        ([("x-api-key", "")], 401, None),
        ([("authorization", f"Bearer {ANN} {BOB}")], 401, "invalid_token"),
        ([("authorization", f"Bearer {ANN}"), ("x-api-key", BOB)], 400, "invalid_request"),
        ([("authorization", f"Bearer {ANN}"), ("authorization", f"Bearer {BOB}")], 400, "invalid_request"),
        ([("x-api-key", ANN), ("x-api-key", BOB)], 400, "invalid_request"),
    ],
)
async def test_who_sends_no_token_or_several_is_challenged(
    served: Serve, upstream: Upstream, mode: dict[str, Any], sent: list[tuple[str, str]], status: int, error: str | None
) -> None:
    async with served(**mode) as url:
        response = await _status(url, *sent)
    assert response.status_code == status
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="parallel-mcp"')
    # RFC 6750: no error code if no token was sent.
    assert ("error=" in challenge) == (error is not None)
    assert error is None or f'error="{error}"' in challenge
    assert ANN not in response.text + challenge
    assert not upstream.received


@pytest.mark.parametrize("token", ["wrong", ANN[:-1], ANN + "x", ANN.upper(), BOB[:5], "\u00e4"])
async def test_a_wrong_token_is_invalid(served: Serve, token: str) -> None:
    async with served(access_tokens=TOKENS) as url:
        response = await _status(url, (b"authorization", f"Bearer {token}".encode()))
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(
    "sent",
    [
        [("authorization", f"Bearer {ANN}")],
        [("authorization", f"bearer  {ANN}")],
        [("x-api-key", ANN)],
        [("authorization", f"Bearer {ANN}"), ("x-api-key", ANN)],
        [("authorization", "Basic proxys"), ("x-api-key", ANN)],
    ],
)
async def test_the_right_token_is_let_in_by_either_header(served: Serve, sent: list[tuple[str, str]]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    async with served(access_tokens=TOKENS) as url:
        response = await _status(
            url, *sent, ("mcp-protocol-version", "2025-11-25"), content=json.dumps(message).encode()
        )
    assert response.status_code == 200, response.text
    assert "web_answer" in response.text


async def test_strangers_that_a_proxy_hands_on_are_refused_where_nobody_needs_a_token(served: Serve) -> None:
    async with served() as url:
        assert (await _status(url, ("x-forwarded-for", "203.0.113.9"))).status_code == 403
        assert (await _status(url, ("x-forwarded-for", "127.0.0.1, 203.0.113.9"))).status_code == 403
        assert (await _status(url, ("x-forwarded-for", "127.0.0.1"))).status_code != 403
    async with served(access_tokens=TOKENS) as url:
        known = ("authorization", f"Bearer {ANN}")
        assert (await _status(url, ("x-forwarded-for", "203.0.113.9"), known)).status_code == 400  # JSON-RPC's


# Host, Origin and size


@pytest.mark.parametrize(
    ("bound", "allowed", "sent", "status"),
    [
        ("127.0.0.1", "", "localhost:1", 401),
        ("127.0.0.1", "", "evil.example", 421),
        ("0.0.0.0", "mcp.example.com", "mcp.example.com", 401),
        ("0.0.0.0", "mcp.example.com", "mcp.example.com:8765", 401),
        ("0.0.0.0", "mcp.example.com", "evil.example", 421),
        ("0.0.0.0", "mcp.example.com", "mcp.example.com.evil.example", 421),
        ("0.0.0.0", "mcp.example.com:8765", "mcp.example.com:8765", 401),
        ("0.0.0.0", "mcp.example.com:8765", "mcp.example.com:1", 421),
        ("0.0.0.0", "", "0.0.0.0:8765", 421),
        ("::", "2001:db8::1", "[2001:db8::1]:8765", 401),
        ("::", "[2001:db8::1]", "[2001:db8::1]", 401),
        ("::", "", "[::1]:8765", 401),
        ("::", "", "[2001:db8::2]", 421),
        ("192.0.2.1", "", "192.0.2.1:8765", 401),
        ("2001:db8::1", "", "[2001:db8::1]:8765", 401),
        ("mcp.example.com", "", "mcp.example.com", 401),
        ("mcp.example.com", "", "evil.example", 421),
    ],
)
async def test_only_names_of_this_server_are_served_on_whatever_address(
    served: Serve, bound: str, allowed: str, sent: str, status: int
) -> None:
    """Host and Origin are checked before the token, which is required next."""
    async with served(host=bound, allowed_hosts=allowed, access_tokens=TOKENS) as url:
        assert (await _status(url, ("host", sent))).status_code == status


@pytest.mark.parametrize(
    "authority",
    [
        *(
            "localhost:1@evil.example",
            "localhost:evil.example",
            "localhost:",
            "localhost:1/x",
            "[::1]:1@evil",
            "[::1]evil",
        )
    ],
)
async def test_a_name_of_this_server_with_anything_but_a_port_behind_it_is_refused(
    served: Serve, authority: str
) -> None:
    async with served() as url:
        assert (await _status(url, ("host", authority))).status_code == 421
        assert (await _status(url, ("origin", f"http://{authority}"))).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_bound_to_every_address_foreign_hosts_and_origins_are_refused(upstream: Upstream, host: str) -> None:
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_ACCESS_TOKENS": TOKENS}
    arguments = ("http", "--host", host, "--port", "0", "--store", "memory:", "--allowed-hosts", "mcp.example.com")
    async with process(*arguments, **environment) as running:
        assert running.stderr is not None
        said = b""
        with anyio.fail_after(30):
            while b"/mcp" not in said:
                said += await running.stderr.receive()
        port = said.decode().partition("serving ")[2].split("/mcp")[0].rpartition(":")[2]
        url = f"http://127.0.0.1:{port}" if host == "0.0.0.0" else f"http://[::1]:{port}"
        assert (await _status(url)).status_code == 401
        assert (await _status(url, ("host", "mcp.example.com"))).status_code == 401
        assert (await _status(url, ("host", "evil.example"))).status_code == 421
        assert (await _status(url, ("origin", "https://evil.example"))).status_code == 403


async def test_the_checks_come_in_the_order_that_tells_strangers_least(served: Serve) -> None:
    big = b"[" + b"1," * 600_000 + b"1]"
    known = ("authorization", f"Bearer {ANN}")
    async with served(access_tokens=TOKENS, allowed_origins="https://app.example") as url:
        foreign, page = ("host", "evil.example"), ("origin", "https://evil.example")
        assert (await _status(url, foreign, page, content=big)).status_code == 421
        assert (await _status(url, page, known, content=big)).status_code == 403
        assert (await _status(url, content=b"[]")).status_code == 401
        assert (await _status(url, known, content=big)).status_code == 413
        assert (await _status(url, known, ("origin", "https://app.example"), content=big)).status_code == 413


async def test_every_path_but_health_and_the_home_page_asks_who_is_calling(served: Serve) -> None:
    async with served(access_tokens=TOKENS) as url, httpx2.AsyncClient() as http:
        for path in ("/mcp", "/mcp/", "/MCP", "/healthz/", "/mcp/../healthz/x", "//healthz", "/openapi.json"):
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
                response = await http.request(method, f"{url}{path}")
                assert response.status_code == 401, (method, path)
        for path in ("/", "/healthz"):
            assert (await http.get(f"{url}{path}")).status_code == 200


# Other callers' research runs


def test_ids_have_96_bits_of_chance() -> None:
    scope = Scope("ann", "p", "o")
    made = {NewRun(scope, "k", None, "h", 0, None, 0).research_id for _ in range(1000)}  # type: ignore[arg-type]
    assert len(made) == 1000
    assert all(len(bytes.fromhex(research_id)) == 12 for research_id in made)


async def test_another_callers_research_is_unknown_in_every_way_there_is(served: Serve, upstream: Upstream) -> None:
    gate = upstream.hold()
    async with (
        served(access_tokens=TOKENS) as url,
        connected(url, ANN) as ann,
        connected(url, BOB) as bob,
    ):
        handle = await polling.started(ann, "What does Ann want to know?")
        await upstream.requests(1)
        one, none = handle.task_id, "0" * 24
        for arguments in ({"research_id": one}, {"research_id": one, "cancel": True}):
            result = await bob.call_tool("deep_research", arguments)
            unknown = await bob.call_tool("deep_research", {**arguments, "research_id": none})
            assert result.is_error
            # Word for word the same as for an id that does not exist.
            assert text_of(result).replace(one, none) == text_of(unknown)
        for uri in (f"research://{one}/md", f"research://{one}/json"):
            with pytest.raises(MCPError) as refused:
                await bob.read_resource(uri)
            with pytest.raises(MCPError) as absent:
                await bob.read_resource(uri.replace(one, none))
            assert str(refused.value).replace(one, none) == str(absent.value)
        for method in (polling.get, polling.cancel, polling.update):
            with pytest.raises(MCPError) as refused:
                await method(bob.session, one)
            with pytest.raises(MCPError) as absent:
                await method(bob.session, none)
            assert refused.value.error.code == absent.value.error.code == -32602
            assert str(refused.value).replace(one, none) == str(absent.value)
        for uri in ("research://", f"research://?before={one}"):
            contents = (await bob.read_resource(uri)).contents[0]
            assert isinstance(contents, TextResourceContents)
            page = json.loads(contents.text)
            assert page == {"research": [], "next": None}
        # The same question from another caller is another research run.
        other = await polling.started(bob, "What does Ann want to know?")
        assert other.task_id != one
        gate.set()
        assert (await polling.over(ann.session, one)).status == "completed"
