"""Redis only: what it promises beyond other stores, and what happens when it goes and comes back."""

import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import redis as client
from mcp import Client
from mcp_types import CallToolResult, TextContent

from parallel_mcp.client import Pacing
from parallel_mcp.client import pacing as client_module
from parallel_mcp.errors import PacingFull, StoreFailed
from parallel_mcp.research import LEASE_SECONDS, Scope
from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from parallel_mcp.stores import redis as store_module
from parallel_mcp.stores.redis import RedisStore, place
from tests.support.redis_server import RedisServer, redis_running
from tests.support.stores import ALICE, added, answered, asked, content_of
from tests.support.upstream import Upstream, self_made_certificate

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server for this test alone, which it may kill."""
    with redis_running() as server:
        yield server


@asynccontextmanager
async def opened(url: str, prefix: str = "test") -> AsyncIterator[RedisStore]:
    store = RedisStore(url, prefix=prefix)
    try:
        yield store
    finally:
        await store.close()


async def test_a_restart_by_sigkill_loses_nothing(server: RedisServer) -> None:
    async with opened(server.url) as store:
        done = await added(store, asked("Done"))
        await store.finish(done.research_id, "one", answered("Before."))
        under_way = await added(store, asked("Under way"))
        server.kill()
        for call in (
            store.get(done.research_id, ALICE),
            store.add_or_join(asked("New")),
            store.renew(under_way.research_id, "one"),
            store.finish(under_way.research_id, "one", answered("Meanwhile.")),
            store.charge(ALICE, "base", 0.01, 1.0),
        ):
            with pytest.raises(StoreFailed, match=rf"Redis at 127\.0\.0\.1:{server.port}\) failed: .*running"):
                await call
        await anyio.to_thread.run_sync(server.start)
        # The service tries again, and so does this.
        assert content_of(await store.finish(under_way.research_id, "one", answered("Meanwhile."))) == "Meanwhile."
        assert content_of(await store.get(done.research_id, ALICE)) == "Before."
        assert [line.requests for line in await store.spent(ALICE)] == [2]


async def test_what_was_acknowledged_is_there_when_it_is_killed_under_load(server: RedisServer) -> None:
    stored: list[str] = []
    failures: list[StoreFailed] = []

    async def work(number: int) -> None:
        """Try until it is stored, as the service does."""
        for turn in range(6):
            row = asked(f"Question {number}.{turn}")
            while True:
                try:
                    await store.add_or_join(row)
                    await store.finish(row.research_id, "one", answered(row.research_id))
                    stored.append(row.research_id)
                    break
                except StoreFailed as error:
                    failures.append(error)
                    await anyio.sleep(0.05)

    async def cut() -> None:
        while len(stored) < 20:
            await anyio.sleep(0.005)
        server.kill()
        while not failures:
            await anyio.sleep(0.005)
        await anyio.to_thread.run_sync(server.start)

    async with opened(server.url) as store:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(cut)
                for number in range(20):
                    group.start_soon(work, number)
        rows = [await store.get(row.research_id, ALICE) for row in await store.list(ALICE, limit=500)]
        spent = await store.spent(ALICE)
    assert failures
    assert {row.research_id: content_of(row) for row in rows if row is not None} == {one: one for one in stored}
    assert len(stored) == 120
    # The repeated call did not charge again.
    assert [(line.requests, round(line.usd, 6), line.maybe_usd) for line in spent] == [(120, 1.2, 0.0)]


async def test_a_research_that_ends_while_redis_is_gone_is_stored_when_it_is_back(
    server: RedisServer, upstream: Upstream
) -> None:
    gate = upstream.hold()
    settings = Settings(api_key="k", base_url=upstream.url, store=server.url, wait_seconds=1)
    async with Client(build(settings)) as host:
        first = await host.call_tool("deep_research", {"question": "Why?"})
        assert first.structured_content is not None
        research_id = first.structured_content["research_id"]
        server.kill()
        refused = await host.call_tool("deep_research", {"question": "Another?"})
        assert refused.is_error
        assert "Is Redis running there?" in words(refused)
        gate.set()
        shown = await host.call_tool("deep_research", {"research_id": research_id})
        assert not shown.is_error
        await anyio.to_thread.run_sync(server.start)
        async with opened(server.url, store_module.PREFIX) as store:
            with anyio.fail_after(20):
                while (await store.list(Scope("local", "", "")))[0].status != "completed":
                    await anyio.sleep(0.05)
    assert len(upstream.received) == 1


def words(result: CallToolResult) -> str:
    """The text of a result."""
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def test_web_answer_goes_on_without_redis(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(api_key="k", base_url=upstream.url, store="redis://:secret@127.0.0.1:1")
    with caplog.at_level(logging.WARNING):
        async with Client(build(settings)) as host:
            result = await host.call_tool("web_answer", {"question": "Why?"})
            refused = await host.call_tool("deep_research", {"question": "Why?"})
    assert not result.is_error
    assert refused.is_error
    assert "paced by this process alone" in caplog.text
    assert "secret" not in caplog.text + words(refused)


async def test_a_server_that_does_not_answer_is_a_clear_error_in_seconds(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "REPLY_SECONDS", 0.2)
    async with opened(server.url) as store:
        await added(store, asked())
        server.pause()
        with anyio.fail_after(5), pytest.raises(StoreFailed, match="did not answer within"):
            await store.list(ALICE)
        with anyio.move_on_after(0.1) as bound:
            await store.list(ALICE)
        assert bound.cancelled_caught
        server.resume()
        assert len(await store.list(ALICE)) == 1


async def test_a_reply_that_was_lost_does_not_charge_again(redis_server: RedisServer) -> None:
    """A call is repeated if its reply is lost. Here every one is."""
    async with opened(redis_server.socket_url, "lost") as store:
        real = store._connected()

        async def twice(keys: list[str], args: list[str | bytes]) -> object:
            first = await real(keys=keys, args=args)
            second = await real(keys=keys, args=args)
            # Everything except its time.
            assert first[:1] == second[:1]
            return second

        store._script = twice  # type: ignore[assignment]
        row = await added(store, asked())
        charge = await store.charge(ALICE, "base", 0.01, None)
        assert sum(line.requests for line in await store.spent(ALICE)) == 2
        await store.release(row.research_id, "one", sent=False)
        seen = await store.get(row.research_id, ALICE)
        assert seen is not None
        claimed = await store.claim(seen, "two", 0.01, None)
        assert claimed is not None
        assert (claimed.holder, claimed.attempts, claimed.cost_usd) == ("two", 1, 0.01)
        done = await store.finish(row.research_id, "two", answered())
        assert content_of(done) == "Because."
        await store.settle(charge, "unsent")
        totals = await store.spent(ALICE)
        assert [(line.requests, line.usd, line.maybe_usd) for line in totals] == [(1, 0.01, 0.0)]


async def test_everything_in_redis_expires(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "bounded") as store:
        for number, end in enumerate(("completed", "failed", "cancelled", "working", "released")):
            row = await added(store, asked(f"Question {number}"))
            await store.get(row.research_id, ALICE, "waiter")
            if end == "completed":
                await store.finish(row.research_id, "one", answered())
            elif end == "cancelled":
                await store.cancel(row.research_id, ALICE, "waiter")
            elif end == "released":
                await store.release(row.research_id, "one", sent=True)
        await store.charge(ALICE, "base", 0.01, 1.0)
        await store.take_turn("payer", 5, 0)
        with client.Redis.from_url(redis_server.socket_url, decode_responses=True) as raw:
            left = {name: raw.ttl(name) for name in raw.keys("{bounded}:*")}
    assert len(left) > 15
    kinds = {name.split(":")[1] for name in left}
    assert kinds >= {
        "row",
        "flight",
        "done",
        "open",
        "line",
        "history",
        "spent",
        "budget",
        "waiting",
        "window",
        "working",
    }
    days = {name: seconds / 86400 for name, seconds in left.items()}
    assert all(0 <= seconds <= (400 if ":spent:" in name else 31) for name, seconds in days.items()), days
    assert all(seconds <= LEASE_SECONDS for name, seconds in left.items() if ":waiting:" in name)


async def test_no_total_stays_that_is_zero(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "zero") as store:
        await store.settle(await store.charge(ALICE, "base", 0.01, 1.0), "unsent")
        row = await added(store, asked(budget=1.0))
        await store.release(row.research_id, "one", sent=False)
        await store.cancel(row.research_id, ALICE)
        with client.Redis.from_url(redis_server.socket_url, decode_responses=True) as raw:
            assert not raw.keys("{zero}:spent:*") + raw.keys("{zero}:budget:*") + raw.keys("{zero}:row:*")
        await store.charge(ALICE, "base", 0.01, 1.0)
        with client.Redis.from_url(redis_server.socket_url, decode_responses=True) as raw:
            assert len(raw.keys("{zero}:spent:*") + raw.keys("{zero}:budget:*")) == 2


async def test_rows_are_utf_8_as_they_were_written(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "utf-8") as store:
        row = await added(store, asked("Größe? 漢字 🎈"))
        await store.finish(row.research_id, "one", answered("Höhe. 漢字 🎈"))
        with client.Redis.from_url(redis_server.socket_url) as raw:
            question, answer = raw.hmget(f"{{utf-8}}:row:{row.research_id}", "question", "answer")
    assert "Größe? 漢字 🎈".encode() in question
    assert "Höhe. 漢字 🎈".encode() in answer


async def test_a_history_loses_the_ids_of_rows_that_expired(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "history") as store:
        rows = [await added(store, asked(f"Question {number}")) for number in range(5)]
        with client.Redis.from_url(redis_server.socket_url) as raw:
            for row in rows[:3]:
                raw.delete(f"{{history}}:row:{row.research_id}")
            assert len(await store.list(ALICE)) == 2
            assert raw.zcard("{history}:history:alice") == 2
            raw.delete(f"{{history}}:row:{rows[3].research_id}")
            await added(store, asked("Another"))
            assert raw.zcard("{history}:history:alice") == 2


async def test_a_script_that_redis_forgot_is_sent_again(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "flushed") as store:
        await added(store, asked("One"))
        with client.Redis.from_url(redis_server.socket_url) as raw:
            raw.script_flush()
        await added(store, asked("Two"))


async def test_each_method_is_one_round_trip(redis_server: RedisServer) -> None:
    async with opened(redis_server.socket_url, "trips") as store:
        row = await added(store, asked())
        with client.Redis.from_url(redis_server.socket_url) as raw:
            before = raw.info("commandstats")["cmdstat_evalsha"]["calls"]
            everything = raw.info("stats")["total_commands_processed"]
            await store.get(row.research_id, ALICE, "waiter")
            await store.renew(row.research_id, "one")
            await store.finish(row.research_id, "one", answered())
            await store.list(ALICE)
            await store.spent(ALICE)
            assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] - before == 5
            # The rest is what the scripts do within Redis, and the two queries here.
            assert raw.info("stats")["total_commands_processed"] > everything


# Pacing


async def test_two_processes_share_one_window(redis_server: RedisServer) -> None:
    async with (
        opened(redis_server.socket_url, "pacing") as one,
        opened(redis_server.socket_url, "pacing") as two,
    ):
        pacings = [Pacing(5, one.take_turn), Pacing(5, two.take_turn)]
        for turn in range(5):
            await pacings[turn % 2].turn("payer", "caller", lambda _: None, 0)
        for pacing in pacings:
            with pytest.raises(PacingFull):
                await pacing.turn("payer", "caller", lambda _: None, 0)
        await pacings[0].turn("another payer", "caller", lambda _: None, 0)


async def test_pacing_goes_on_in_this_process_while_redis_is_gone(
    server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "OWN_WINDOW_SECONDS", 0)
    async with opened(server.url) as store:
        pacing = Pacing(2, store.take_turn)
        await pacing.turn("payer", "caller", lambda _: None, 0)
        server.kill()
        with caplog.at_level(logging.WARNING):
            await pacing.turn("payer", "caller", lambda _: None, 0)
            await pacing.turn("payer", "caller", lambda _: None, 0)
            with pytest.raises(PacingFull):
                await pacing.turn("payer", "caller", lambda _: None, 0)
        assert "paced by this process alone" in caplog.text
        await anyio.to_thread.run_sync(server.start)
        await pacing.turn("payer", "caller", lambda _: None, 0)
        with pytest.raises(PacingFull):
            await pacing.turn("payer", "caller", lambda _: None, 0)


# Messages for people


async def test_a_wrong_password_is_said_and_never_shown() -> None:
    with redis_running() as server:
        with client.Redis.from_url(server.url) as raw:
            raw.config_set("requirepass", "right")
        for url in (f"redis://:hunter2@127.0.0.1:{server.port}", server.url):
            async with opened(url) as store:
                with pytest.raises(StoreFailed, match="password") as caught:
                    await store.list(ALICE)
                assert "hunter2" not in str(caught.value)
        async with opened(f"redis://:right@127.0.0.1:{server.port}") as store:
            await added(store, asked())


async def test_a_full_redis_is_a_clear_error(server: RedisServer) -> None:
    async with opened(server.url) as store:
        row = await added(store, asked())
        with client.Redis.from_url(server.url) as raw:
            raw.config_set("maxmemory", 1)
            with pytest.raises(StoreFailed, match="its memory is full"):
                await store.add_or_join(asked("Another"))
            with pytest.raises(StoreFailed, match="its memory is full"):
                await store.check()
            raw.config_set("maxmemory", 0)
        assert content_of(await store.finish(row.research_id, "one", answered())) == "Because."


async def test_a_read_only_replica_is_a_clear_error(server: RedisServer) -> None:
    async with opened(server.url) as store:
        with client.Redis.from_url(server.url) as raw:
            raw.config_set("replica-serve-stale-data", "yes")
            raw.replicaof("127.0.0.1", 1)
            with pytest.raises(StoreFailed, match="read-only replica"):
                await store.add_or_join(asked())
            raw.replicaof("NO", "ONE")
        await added(store, asked())


@pytest.mark.parametrize(
    "url", ["redis://me:hunter2@host:port", "redis://:hunter2@[::1", "redis://me:hunter2@localhost?db=hunter2"]
)
async def test_a_wrong_url_is_a_clear_error_without_its_password(url: str) -> None:
    async with opened(url) as store:
        with pytest.raises(StoreFailed, match="PARALLEL_MCP_STORE") as caught:
            await store.list(ALICE)
    shown = f"{caught.value} {caught.value.__cause__!r}"
    assert "hunter2" not in shown
    assert "hunter2" not in place(url)


async def test_a_certificate_that_is_not_trusted_is_a_clear_error(tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path)
    tls = ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate), "--tls-auth-clients", "no"]
    with redis_running(*tls) as server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with client.Redis.from_url(server.url) as raw:
            raw.config_set("tls-port", port)
        async with opened(f"rediss://127.0.0.1:{port}") as store:
            with pytest.raises(StoreFailed, match="the connection failed"):
                await store.list(ALICE)
        async with opened(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as store:
            await added(store, asked())


async def test_a_missing_package_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys\n"
        "sys.modules['redis'] = sys.modules['redis.asyncio'] = None\n"
        "import anyio\n"
        "from parallel_mcp.errors import StoreFailed\n"
        "from parallel_mcp.client import Pacing\n"
        "from parallel_mcp.stores.redis import RedisStore\n"
        "from parallel_mcp.research import Scope\n"
        "async def main():\n"
        "    store = RedisStore('redis://localhost')\n"
        "    try:\n"
        "        await store.list(Scope('a', 'b', 'c'))\n"
        "    except StoreFailed as error:\n"
        "        print(error)\n"
        "    await Pacing(5, store.take_turn).turn('payer', 'caller', print, 0)\n"
        "anyio.run(main)\n"
    )
    done = await anyio.run_process([sys.executable, "-c", code])
    assert re.search(r'pip install "parallel-mcp\[redis\]"', done.stdout.decode())


def test_the_script_is_in_the_package() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "from parallel_mcp.stores.redis import lua; print(lua()[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == "--\n"
