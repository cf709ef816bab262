"""Two HTTP replicas behind a round-robin proxy, with one Redis: real processes, real sockets."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.clients import text_of
from tests.support.redis_server import RedisServer, redis_running
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


@dataclass
class Proxy:
    """Passes each connection to the next replica that accepts it, byte for byte."""

    ports: list[int]
    url: str = ""
    turn: int = 0
    _group: list[anyio.abc.TaskGroup] = field(default_factory=list)

    async def handle(self, client: anyio.abc.SocketStream) -> None:
        async with client:
            replica = await self._next()
            async with replica, anyio.create_task_group() as group:
                group.start_soon(self._copy, client, replica, group.cancel_scope)
                group.start_soon(self._copy, replica, client, group.cancel_scope)

    async def _next(self) -> anyio.abc.SocketStream:
        for _ in self.ports:
            self.turn += 1
            try:
                return await anyio.connect_tcp("127.0.0.1", self.ports[self.turn % len(self.ports)])
            except OSError:
                continue
        raise ConnectionError("no replica is left")

    async def _copy(
        self, source: anyio.abc.SocketStream, sink: anyio.abc.SocketStream, scope: anyio.CancelScope
    ) -> None:
        try:
            async for part in source:
                await sink.send(part)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        scope.cancel()


@asynccontextmanager
async def balanced(ports: list[int]) -> AsyncIterator[str]:
    proxy = Proxy(ports)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}/mcp"
        group.cancel_scope.cancel()


@asynccontextmanager
async def replica(store: str, upstream: Upstream, **env: str) -> AsyncIterator[tuple[anyio.abc.Process, int]]:
    command = [sys.executable, "-m", "parallel_mcp", "http", "--port", "0", "--store", store, "--wait-seconds", "2"]
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, **env}
    async with await anyio.open_process(command, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr is not None
            said = b""
            with anyio.fail_after(30):
                while b"/mcp" not in said:
                    said += await process.stderr.receive()
            yield process, int(said.decode().partition("127.0.0.1:")[2].partition("/")[0])
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client that opens a new connection per request, so that each goes to the next replica."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with (
        httpx2.AsyncClient(limits=limits, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def _call(client: Client, **arguments: Any) -> dict[str, Any]:
    """A call, repeated if its replica died, as hosts do."""
    while True:
        try:
            result = await client.call_tool("deep_research", arguments)
        except Exception:
            await anyio.sleep(0.2)
            continue
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return dict(result.structured_content)


async def test_replicas_share_rows_and_a_killed_one_is_taken_over(upstream: Upstream) -> None:
    with redis_running() as redis:
        async with AsyncExitStack() as stack:
            replicas = [await stack.enter_async_context(replica(redis.url, upstream)) for _ in range(2)]
            url = await stack.enter_async_context(balanced([port for _, port in replicas]))
            client = await stack.enter_async_context(connected(url))
            gate = upstream.hold()
            first = await _call(client, question="Why?")
            joined = await _call(client, question="Why?")
            assert first["status"] == joined["status"] == "working"
            assert first["research_id"] == joined["research_id"]
            assert len(upstream.received) == 1

            worker = await _worker(upstream, replicas)
            worker.kill()
            ends = []
            with anyio.fail_after(120):
                while len(upstream.received) < 2:
                    ends.append(await _call(client, research_id=first["research_id"]))
                assert {end["status"] for end in ends} == {"working"}
                gate.set()
                while (end := await _call(client, research_id=first["research_id"]))["status"] == "working":
                    pass
            assert end["status"] == "completed"
            assert end["attempts"] == 2
            assert end["answer"]["cost_usd"] == 0.02
            again = await _call(client, question="Why?")
            # The first delivery is not called reused, whoever gets it. Every later one is.
            assert again["answer"] | {"reused": False} == end["answer"] | {"reused": False}
            assert len(upstream.received) == 2


async def _worker(upstream: Upstream, replicas: list[tuple[anyio.abc.Process, int]]) -> anyio.abc.Process:
    """The replica whose request is upstream: the one with a connection to that port."""
    port = f":{int(upstream.url.rpartition(':')[2]):04X}"
    for process, _ in replicas:
        inodes = await _sockets(process.pid)
        for line in (await anyio.Path("/proc/net/tcp").read_text()).splitlines()[1:]:
            fields = line.split()
            if fields[2].endswith(port) and fields[3] == "01" and fields[9] in inodes:
                return process
    raise AssertionError("no replica is connected upstream")


async def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    async for entry in anyio.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(await entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


async def test_replicas_share_the_rate_window(upstream: Upstream) -> None:
    with redis_running() as redis:
        async with AsyncExitStack() as stack:
            limit = {"PARALLEL_MCP_REQUESTS_PER_MINUTE": "3"}
            replicas = [await stack.enter_async_context(replica(redis.url, upstream, **limit)) for _ in range(2)]
            url = await stack.enter_async_context(balanced([port for _, port in replicas]))
            client = await stack.enter_async_context(connected(url))
            results = [await client.call_tool("web_answer", {"question": f"Why {number}?"}) for number in range(5)]
    assert [bool(result.is_error) for result in results] == [False, False, False, True, True]
    assert "PARALLEL_MCP_REQUESTS_PER_MINUTE" in text_of(results[-1])
    assert len(upstream.received) == 3


async def test_what_finishes_while_redis_is_away_is_there_when_it_is_back(upstream: Upstream) -> None:
    with redis_running() as redis:
        async with AsyncExitStack() as stack:
            _, port = await stack.enter_async_context(replica(redis.url, upstream))
            client = await stack.enter_async_context(connected(f"http://127.0.0.1:{port}/mcp"))
            gate = upstream.hold()
            first = await _call(client, question="Why?")
            redis.kill()
            away = await client.call_tool("deep_research", {"question": "And then?"})
            assert away.is_error
            assert "Redis" in text_of(away)
            # web_answer needs no row, but its pacing is shared: it says so, or answers.
            gate.set()
            await anyio.sleep(10)
            redis.start()
            with anyio.fail_after(60):
                end = await _until_completed(client, redis, first["research_id"])
            assert end["answer"]["content"] == "An answer to: Why?"
    assert len(upstream.received) == 1


async def _until_completed(client: Client, redis: RedisServer, research_id: str) -> dict[str, Any]:
    while True:
        result = await client.call_tool("deep_research", {"research_id": research_id})
        if not result.is_error and (result.structured_content or {})["status"] == "completed":
            return dict(result.structured_content or {})
        await anyio.sleep(0.2)
