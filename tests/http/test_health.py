"""/healthz tells the truth about store and upstream, costs nothing, and tells strangers nothing useful."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.responses import JSONResponse

from tests.support.processes import Serve
from tests.support.redis_server import redis_running
from tests.support.upstream import Received, Upstream

pytestmark = pytest.mark.anyio


async def _health(url: str) -> tuple[int, dict[str, Any]]:
    async with httpx2.AsyncClient() as http:
        response = await http.get(f"{url}/healthz")
    return response.status_code, response.json()


async def _until(url: str, status: int) -> dict[str, Any]:
    """Wait until it says this, since what it knows about the store may be a second old."""
    with anyio.fail_after(15):
        while True:
            code, said = await _health(url)
            if code == status:
                return said
            await anyio.sleep(0.1)


async def test_at_first_nothing_is_known_of_upstream_and_nothing_is_sent_to_find_out(
    served: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    async with served(store=str(tmp_path / "research.sqlite3"), access_tokens="ann:0123456789abcdef") as url:
        assert await _health(url) == (200, {"status": "ok", "store": "ok", "upstream": "unknown"})
    assert not upstream.received


async def test_upstream_is_as_the_last_call_found_it(served: Serve, upstream: Upstream) -> None:
    answer = upstream.reply
    status = 500

    async def failing(_: Received) -> JSONResponse:
        return JSONResponse({"error": {"message": "secret detail"}}, status_code=status, headers={"retry-after": "99"})

    async with served() as url, Client(f"{url}/mcp") as client:

        async def heard() -> str:
            await client.call_tool("web_answer", {"question": "Why?"})
            code, said = await _health(url)
            assert code == 200  # Another replica would fare no better.
            return str(said["upstream"])

        assert await heard() == "ok"
        upstream.reply = failing
        first = await heard()
        assert first.startswith("failing since 20")
        assert await heard() == first
        status = 429
        assert await heard() == first
        status = 400
        assert await heard() == "ok"
        status = 401
        assert (await heard()).startswith("failing since 20")
        upstream.reply = answer
        assert await heard() == "ok"


async def test_a_callers_own_key_that_is_refused_says_nothing_of_upstream(served: Serve, upstream: Upstream) -> None:
    async def refusing(received: Received) -> JSONResponse:
        return JSONResponse({"detail": "no"}, status_code=401 if received.body else 422)

    upstream.reply = refusing
    async with served(bring_your_own_key=True) as url, httpx2.AsyncClient(headers={"x-api-key": "k"}) as http:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
            assert (await client.call_tool("web_answer", {"question": "Why?"})).is_error
        assert (await _health(url))[1]["upstream"] == "ok"


async def test_a_store_that_cannot_be_opened_is_503_without_saying_where_it_is(served: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with served(store=str(tmp_path / "file" / "research.sqlite3")) as url:
        code, said = await _health(url)
    assert (code, said) == (503, {"status": "failing", "store": "failing", "upstream": "unknown"})


async def test_a_store_that_somebody_else_has_locked_is_503_until_it_is_free(served: Serve, tmp_path: Path) -> None:
    file = tmp_path / "research.sqlite3"
    async with served(store=str(file)) as url:
        assert (await _health(url))[0] == 200
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            # It stays readable.
            assert (await _until(url, 503))["store"] in ("slow", "failing")
            other.execute("ROLLBACK")
        await _until(url, 200)


async def test_a_full_disk_is_503_until_there_is_room(served: Serve, small_disk: Path) -> None:
    async with served(store=str(small_disk / "research.sqlite3")) as url:
        assert (await _health(url))[0] == 200
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        assert (await _until(url, 503))["store"] == "failing"
        async with Client(f"{url}/mcp") as client:
            assert (await client.call_tool("deep_research", {"question": "Why? " + "x" * 10_000})).is_error
            # It needs no store.
            assert not (await client.call_tool("web_answer", {"question": "Why?"})).is_error
        ballast.unlink()
        await _until(url, 200)


async def test_a_full_redis_is_503_until_it_has_room(served: Serve) -> None:
    import redis as library

    with redis_running("--maxmemory-policy", "noeviction") as redis:
        async with served(store=redis.url) as url:
            assert (await _health(url))[0] == 200
            with library.Redis.from_url(redis.url) as other:
                # Less than it already uses.
                other.config_set("maxmemory", 1)
                assert (await _until(url, 503))["store"] == "failing"
                # It keeps responding.
                assert other.ping()
                other.config_set("maxmemory", 0)
            await _until(url, 200)


async def test_a_redis_that_dies_hangs_and_comes_back_is_told_as_it_is(served: Serve) -> None:
    with redis_running() as redis:
        async with served(store=redis.url) as url:
            assert (await _health(url))[1]["store"] == "ok"
            redis.pause()
            slow = await _until(url, 503)
            assert slow["store"] in ("slow", "failing")
            redis.resume()
            await _until(url, 200)
            redis.kill()
            assert (await _until(url, 503))["store"] == "failing"
            redis.start()
            await _until(url, 200)


async def test_strangers_cannot_have_the_store_asked_more_often_than_once_a_second(served: Serve) -> None:
    import redis as library

    with redis_running() as redis:
        async with served(store=redis.url, access_tokens="ann:0123456789abcdef") as url:
            await _health(url)
            with library.Redis.from_url(redis.url) as client:

                def calls() -> int:
                    stats = client.info("commandstats")
                    return sum(
                        stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "fcall", "eval")
                    )

                before = calls()
                assert before
                began = anyio.current_time()
                async with httpx2.AsyncClient() as http:
                    for _ in range(300):
                        assert (await http.get(f"{url}/healthz")).status_code == 200
                seconds = anyio.current_time() - began
                assert calls() - before <= seconds + 1
