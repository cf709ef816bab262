"""The server as a process over pipes, spoken to byte by byte."""

import json
import signal
import subprocess
import sys

import anyio
import pytest

from tests.support.pipes import HELLO, META, QUIET_SECONDS, Pipe, _call, started
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


async def test_a_discovery_and_then_a_handshake_work_on_one_pipe(upstream: Upstream) -> None:
    async with started(upstream) as pipe:
        await pipe.send("server/discover", {"_meta": META}, 1)
        assert "2026-07-28" in (await pipe.answer(1))["result"]["supportedVersions"]
        await pipe.send("server/discover", {"_meta": META}, 2)
        assert "result" in await pipe.answer(2)
        await pipe.shake_hands()
        await pipe.send("tools/call", _call("Why?"), 3)
        assert (await pipe.answer(3))["result"]["structuredContent"]["content"] == "An answer to: Why?"


async def test_a_discovery_and_then_the_modern_era_work_on_one_pipe(upstream: Upstream) -> None:
    async with started(upstream) as pipe:
        await pipe.send("server/discover", {"_meta": META}, 1)
        await pipe.answer(1)
        await pipe.send("tools/call", _call("Why?", META), 2)
        result = (await pipe.answer(2))["result"]
        assert result["structuredContent"]["content"] == "An answer to: Why?"
        assert result["resultType"] == "complete"


async def test_stdout_carries_nothing_but_json_rpc(upstream: Upstream) -> None:
    async with started(upstream, PARALLEL_MCP_LOG_LEVEL="DEBUG") as pipe:
        await pipe.stdin.send(b"this is no JSON\n")
        assert (await pipe.read())["error"]["code"] == -32700
        await pipe.shake_hands()
        await pipe.send("tools/call", _call("Why?", {"progressToken": 1}), 2)
        await pipe.answer(2)
        await pipe.stdin.aclose()
        rest = b""
        with anyio.fail_after(QUIET_SECONDS):
            try:
                while True:
                    rest += await pipe.lines.receive()
            except anyio.EndOfStream:
                pass
        for line in rest.splitlines():
            assert json.loads(line)["jsonrpc"] == "2.0"


@pytest.mark.parametrize("tool", ["web_answer", "deep_research"])
async def test_the_process_is_gone_soon_after_stdin_ends_with_a_call_in_flight(upstream: Upstream, tool: str) -> None:
    upstream.hold()
    async with started(upstream) as pipe:
        await pipe.shake_hands()
        await pipe.send("tools/call", {"name": tool, "arguments": {"question": "Why?"}}, 2)
        await upstream.requests(1)
        await pipe.stdin.aclose()
        with anyio.fail_after(QUIET_SECONDS):
            assert await pipe.process.wait() == 0
        await upstream.until(lambda self: self.closed == 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_with_0_though_stdin_stays_open(
    upstream: Upstream, number: signal.Signals
) -> None:
    upstream.hold()
    async with started(upstream) as pipe:
        await pipe.shake_hands()
        await pipe.send("tools/call", _call("Why?"), 2)
        await upstream.requests(1)
        pipe.process.send_signal(number)
        with anyio.fail_after(QUIET_SECONDS):
            assert await pipe.process.wait() == 0


@pytest.mark.parametrize("front", [[], ["--no-front"]], ids=["front", "no-front"])
@pytest.mark.parametrize("number", [None, 1.5, True, [1]])
async def test_an_id_that_cannot_be_answered_is_an_invalid_request(
    upstream: Upstream, front: list[str], number: object
) -> None:
    async with started(upstream, *front) as pipe:
        await pipe.shake_hands()
        line = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": _call("Why?")}
        await pipe.stdin.send(json.dumps(line).encode() + b"\n")
        said = await pipe.read()
    assert said["id"] is None
    assert said["error"]["code"] == -32600
    assert not upstream.received


@pytest.mark.parametrize("front", [[], ["--no-front"]], ids=["front", "no-front"])
async def test_a_byte_order_mark_before_the_first_line_is_skipped(upstream: Upstream, front: list[str]) -> None:
    """Windows shells put a byte order mark before what they pipe."""
    async with started(upstream, *front) as pipe:
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
        await pipe.stdin.send(b"\xef\xbb\xbf" + json.dumps(hello).encode() + b"\n")
        assert (await pipe.answer(1))["result"]["serverInfo"]["name"] == "parallel-mcp"
        await pipe.stdin.send(b"\xef\xbb\xbf" + json.dumps({**hello, "id": 2, "method": "ping"}).encode() + b"\n")
        assert "result" in await pipe.answer(2)


async def test_a_cancelled_web_answer_closes_its_request(upstream: Upstream) -> None:
    upstream.hold()
    async with started(upstream) as pipe:
        await pipe.shake_hands()
        await pipe.send("tools/call", _call("Why?"), 2)
        await upstream.requests(1)
        await pipe.send("notifications/cancelled", {"requestId": 2})
        await upstream.until(lambda self: self.closed == 1, QUIET_SECONDS)


async def test_the_server_ends_when_its_launcher_is_killed_and_the_pipe_stays_open(upstream: Upstream) -> None:
    """The launcher passes its pipe on, prints the server's pid and waits. Then it is killed."""
    launcher = (
        "import subprocess, sys, time\n"
        "server = subprocess.Popen([sys.executable, '-m', 'parallel_mcp', '--store', 'memory:'])\n"
        "print(server.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url}
    async with await anyio.open_process(
        [sys.executable, "-c", launcher], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        pipe = Pipe(process)
        try:
            await pipe.shake_hands()
        finally:
            process.kill()
        # The server holds the other end of stdout, which ends when the server exits.
        with anyio.fail_after(25), pytest.raises(anyio.EndOfStream):
            while True:
                await pipe.lines.receive()
