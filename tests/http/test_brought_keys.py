"""With bring-your-own-key, keys that Parallel refuses fill neither disk nor memory, and good ones get through."""

import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.responses import JSONResponse, Response

from parallel_mcp import errors
from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.models import FREE, TIMEOUTS, Question
from parallel_mcp.research import Principal, ResearchService, Scope, ServiceConfig, payer_of
from parallel_mcp.settings import Settings
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.clients import text_of
from tests.support.processes import Serve
from tests.support.upstream import Received, Upstream, answered

pytestmark = pytest.mark.anyio

TABLES = ("research", "ledger", "waiting")


def _key(received: Received) -> str:
    return received.headers.get("authorization", "").removeprefix("Bearer ")


def _picky(upstream: Upstream, *, good: str = "good", refuses_empty: bool = True) -> None:
    """Make upstream accept only keys with this prefix. Some services check the body before the key."""

    async def reply(received: Received) -> Response:
        if not _key(received).startswith(good) and (received.body or refuses_empty):
            return JSONResponse({"detail": "Unauthorized"}, status_code=401)
        return answered(received)

    upstream.reply = reply


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"x-api-key": key}, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


def _counts(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


@pytest.mark.parametrize("refuses_empty", [True, False], ids=["key first", "body first"])
@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_a_refused_key_leaves_no_row_no_charge_and_no_waiter(
    served: Serve, upstream: Upstream, tmp_path: Path, tool: str, refuses_empty: bool
) -> None:
    _picky(upstream, refuses_empty=refuses_empty)
    file = tmp_path / "research.sqlite3"
    async with served(bring_your_own_key=True, store=str(file), daily_budget_usd=100) as url:
        for number in range(5):
            async with connected(url, f"bad-{number}") as client:
                result = await client.call_tool(tool, {"question": "Why?"})
                assert result.is_error
                assert "refused the API key" in text_of(result)
        async with connected(url, "good-1") as client:
            assert not (await client.call_tool("deep_research", {"question": "Why?"})).is_error
    assert _counts(file) == {"research": 1, "ledger": 1, "waiting": 0}
    # If the key is checked first, none of their questions was sent.
    asked = [received for received in upstream.received if received.body and _key(received).startswith("bad")]
    assert bool(asked) is not refuses_empty


async def test_a_key_is_proven_once_and_anew_after_it_was_refused(served: Serve, upstream: Upstream) -> None:
    _picky(upstream)
    async with served(bring_your_own_key=True) as url, connected(url, "good-1") as client:
        for question in ("One?", "Two?"):
            assert not (await client.call_tool("web_answer", {"question": question})).is_error
        assert [bool(received.body) for received in upstream.received] == [False, True, True]
        _picky(upstream, good="better")
        assert (await client.call_tool("web_answer", {"question": "Three?"})).is_error
        assert (await client.call_tool("web_answer", {"question": "Four?"})).is_error
    # The third was sent and refused; the fourth was refused here.
    assert [bool(received.body) for received in upstream.received] == [False, True, True, True, False]


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 407, 408, 413, 429, 500, 502, 503])
async def test_an_empty_request_that_proves_nothing_lets_nobody_in(
    served: Serve, upstream: Upstream, tmp_path: Path, status: int
) -> None:
    async def reply(_: Received) -> Response:
        return JSONResponse({"detail": "no"}, status_code=status)

    upstream.reply = reply
    file = tmp_path / "research.sqlite3"
    async with served(bring_your_own_key=True, store=str(file)) as url, connected(url, "some-key") as client:
        result = await client.call_tool("deep_research", {"question": "Why?"})
        assert result.is_error
        assert "billed" not in text_of(result).replace("nothing was billed", "")
        await client.read_resource("research://")
    assert _counts(file)["research"] == 0
    assert [received.body for received in upstream.received] == [{}]


@pytest.mark.parametrize("status", [200, 201, 400, 402, 422])
async def test_an_answer_to_an_empty_request_that_proves_the_key_lets_the_question_through(
    served: Serve, upstream: Upstream, status: int
) -> None:
    async def reply(received: Received) -> Response:
        return answered(received) if received.body else JSONResponse({}, status_code=status)

    upstream.reply = reply
    async with served(bring_your_own_key=True) as url, connected(url, "some-key") as client:
        assert not (await client.call_tool("deep_research", {"question": "Why?"})).is_error


async def test_the_servers_own_key_is_not_tried_out_and_its_refusal_is_kept(
    served: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    _picky(upstream)
    file = tmp_path / "research.sqlite3"
    async with served(store=str(file)) as url, Client(f"{url}/mcp") as client:
        assert (await client.call_tool("deep_research", {"question": "Why?"})).is_error
    assert [bool(received.body) for received in upstream.received] == [True]
    assert _counts(file)["research"] == 1


@pytest.mark.parametrize("settings", [{"bring_your_own_key": True}, {"access_tokens": "ann:token-0123456789ab"}])
async def test_the_servers_key_and_the_callers_token_never_go_where_they_do_not_belong(
    served: Serve, upstream: Upstream, settings: dict[str, Any]
) -> None:
    async with served(**settings) as url, connected(url, "token-0123456789ab") as client:
        await client.call_tool("web_answer", {"question": "Why?"})
        await client.call_tool("deep_research", {"question": "Why?"})
        await client.read_resource("research://")
    sent = {value for received in upstream.received for value in received.headers.values()}
    if "access_tokens" in settings:
        assert "Bearer server-key" in sent
        assert not any("token-0123456789ab" in value for value in sent)
    else:
        assert "Bearer token-0123456789ab" in sent
        assert not any("server-key" in value for value in sent)


async def test_made_up_keys_together_have_one_turn_in_pacing_and_slow_down_nobody_who_is_proven(
    served: Serve, upstream: Upstream
) -> None:
    _picky(upstream)
    async with served(bring_your_own_key=True, requests_per_minute=3) as url, connected(url, "good-1") as good:
        assert not (await good.call_tool("web_answer", {"question": "One?"})).is_error
        for number in range(4):
            async with connected(url, f"bad-{number}") as bad:
                said = text_of(await bad.call_tool("web_answer", {"question": "Why?"}))
        assert "REQUESTS_PER_MINUTE" in said
        assert not (await good.call_tool("web_answer", {"question": "Two?"})).is_error
    assert len([received for received in upstream.received if _key(received).startswith("bad")]) == 2


async def test_the_memory_of_proven_keys_is_bounded(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parallel_mcp.research.service.MAX_VERIFIED_KEYS", 3)
    store = SQLiteStore(None)
    async with open_http(upstream.url) as http:
        client = ChatClient(http, Pacing(300), timeouts=TIMEOUTS, prices=FREE)
        async with ResearchService(client, store, ServiceConfig(FREE)).open() as service:
            for number in (1, 2, 3, 1, 4, 1, 2):
                key = f"key-{number}"
                principal = Principal(Scope("c", payer_of(key, "o"), "o"), key, brought=True)
                await service.answer(principal, Question(text="Why?", model="speed"), lambda _: None)
    await store.close()
    proofs = [_key(received) for received in upstream.received if not received.body]
    # The least recently used one is forgotten.
    assert proofs == ["key-1", "key-2", "key-3", "key-4", "key-2"]


async def test_a_key_that_nobody_answers_for_is_an_error_of_the_tree() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = f"http://127.0.0.1:{taken.getsockname()[1]}"
    async with open_http(free) as http:
        client = ChatClient(http, Pacing(300), timeouts=TIMEOUTS, prices=FREE)
        with pytest.raises(errors.ConnectFailed) as refused:
            await client.verify_key("key-0123456789")
    assert not refused.value.may_be_billed
    assert "key-0123456789" not in repr(refused.value) + str(refused.value)


async def test_two_calls_with_a_new_key_at_once_are_both_answered(served: Serve, upstream: Upstream) -> None:
    _picky(upstream)
    results: list[Any] = []

    async def ask(client: Client) -> None:
        results.append(await client.call_tool("deep_research", {"question": "Why?"}))

    async with (
        served(bring_your_own_key=True) as url,
        connected(url, "good-1") as one,
        connected(url, "good-1") as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(ask, one)
        group.start_soon(ask, two)
    assert [result.is_error for result in results] == [False, False]
    assert len([received for received in upstream.received if received.body]) == 1


def test_without_http_the_setting_takes_nobodys_key_away() -> None:
    """On stdio nobody can bring a key, so the server's own is used."""
    from parallel_mcp.server import _principal_resolver

    class Stdio:
        class request_context:
            request = None

    settings = Settings(api_key="own", bring_your_own_key=True)
    principal = _principal_resolver("o", settings, None)(Stdio())  # type: ignore[arg-type]
    assert (principal.key, principal.brought) == ("own", False)
