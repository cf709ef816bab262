"""How a server process ends, and which event loop it runs on, with real processes, pipes and sockets."""

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import pytest
from anyio.abc import Process
from mcp import Client

from tests.support.pipes import Pipe
from tests.support.silent_call import SilentCall
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

QUIET_SECONDS = 5.0  # five times the second within which a process has to exit
BEFORE_A_LEASE_LAPSES = 10.0
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "parallel_mcp", *arguments]


def _environment(upstream: Upstream, store: Path | str, **more: str) -> dict[str, str]:
    known = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": str(store)}
    return {**known, **more}


@asynccontextmanager
async def stdio_server(upstream: Upstream, store: Path, **more: str) -> AsyncIterator[Pipe]:
    environment = _environment(upstream, store, **more)
    async with await anyio.open_process(_command(), stdin=subprocess.PIPE, stderr=None, env=environment) as process:
        try:
            pipe = Pipe(process)
            await pipe.shake_hands()
            yield pipe
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def http_server(upstream: Upstream, store: Path | str, **more: str) -> AsyncIterator[tuple[Process, str]]:
    """The process, and the URL that it prints."""
    command = _command("http", "--port", "0")
    environment = _environment(upstream, store, **more)
    async with await anyio.open_process(command, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr is not None
            said = b""
            with anyio.fail_after(30):
                while b"/mcp" not in said:
                    said += await process.stderr.receive()
            yield process, said.decode().partition("serving ")[2].split()[0]
        finally:
            if process.returncode is None:
                process.kill()


async def _ended(process: Process, number: signal.Signals) -> None:
    """End it with a signal. It must exit soon, with 0."""
    process.send_signal(number)
    with anyio.fail_after(QUIET_SECONDS):
        assert await process.wait() == 0


async def _ask(url: str, mode: Literal["auto", "legacy"] = "auto") -> Any:
    async with Client(url, mode=mode) as client:
        return await client.call_tool("deep_research", {"question": "Why?"})


async def _asked_in_vain(url: str, mode: Literal["auto", "legacy"] = "auto") -> None:
    """A call that is interrupted by the server's end."""
    try:
        await _ask(url, mode)
    except Exception:
        return


async def _taken_over_at_once(upstream: Upstream, store: Path) -> None:
    """The next process on the same store gets the answer before a lease could lapse."""
    async with stdio_server(upstream, store) as pipe:
        with anyio.fail_after(BEFORE_A_LEASE_LAPSES):
            await pipe.send("tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}}, 2)
            research = (await pipe.answer(2))["result"]["structuredContent"]
    assert (research["status"], research["attempts"]) == ("completed", 2)
    assert len(upstream.received) == 2


@SIGNALS
async def test_a_signal_on_stdio_gives_the_lease_back_where_nothing_is_to_be_finished(
    upstream: Upstream, tmp_path: Path, number: signal.Signals
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with stdio_server(upstream, store, PARALLEL_MCP_FINISH_RESEARCH="false") as pipe:
        await pipe.send("tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}}, 2)
        await upstream.requests(1)
        await _ended(pipe.process, number)
    # The front exits before its engine.
    await upstream.until(lambda self: self.closed == 1)
    gate.set()
    await _taken_over_at_once(upstream, store)


@SIGNALS
@ERAS
async def test_a_signal_over_http_gives_the_lease_back_though_a_caller_still_waits(
    upstream: Upstream, tmp_path: Path, number: signal.Signals, mode: Literal["auto", "legacy"]
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with (
        http_server(upstream, store, PARALLEL_MCP_SHUTDOWN_SECONDS="1") as (process, url),
        anyio.create_task_group() as group,
    ):
        group.start_soon(_asked_in_vain, url, mode)
        await upstream.requests(1)
        await _ended(process, number)
        group.cancel_scope.cancel()
    gate.set()
    await _taken_over_at_once(upstream, store)


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_call_may_finish_while_the_service_shuts_down(upstream: Upstream, era: str) -> None:
    gate = upstream.hold()
    call = SilentCall(era, with_token=False)
    async with http_server(upstream, "memory:", PARALLEL_MCP_SHUTDOWN_SECONDS="20") as (process, url):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run, url.removesuffix("/mcp"), 30)
            await upstream.requests(1)
            process.terminate()
            await _deaf(url)
            gate.set()
        with anyio.fail_after(QUIET_SECONDS):
            assert await process.wait() == 0
    assert call.result()["structuredContent"]["status"] == "completed"


@SIGNALS
async def test_a_stream_that_a_caller_keeps_open_does_not_keep_the_service_up(
    upstream: Upstream, number: signal.Signals
) -> None:
    """Callers of the first era listen with GET for as long as the server runs."""
    headers = {"accept": "text/event-stream", "mcp-protocol-version": "2025-11-25"}
    async with (
        http_server(upstream, "memory:", PARALLEL_MCP_SHUTDOWN_SECONDS="1") as (process, url),
        httpx2.AsyncClient() as http,
        http.stream("GET", url, headers=headers),
    ):
        await _ended(process, number)


async def _deaf(url: str) -> None:
    """Wait until it accepts no more connections."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    with anyio.fail_after(QUIET_SECONDS):
        while True:
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                return
            await anyio.sleep(0.05)


async def test_a_line_that_cannot_be_read_is_answered_with_an_error(upstream: Upstream, tmp_path: Path) -> None:
    async with stdio_server(upstream, tmp_path / "store") as pipe:
        await pipe.stdin.send(b"no JSON\n")
        assert await pipe.read() == {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32700, "message": "This line is not JSON"},
        }
        await pipe.stdin.send(b'\n{"jsonrpc": "2.0", "id": "x", "method": "tools/list", "params": [1]}\n')
        assert await pipe.read() == {
            "jsonrpc": "2.0",
            "id": "x",
            "error": {"code": -32600, "message": "This line is not a JSON-RPC message"},
        }


async def test_a_question_that_was_cut_in_the_midst_of_an_emoji_is_answered(upstream: Upstream, tmp_path: Path) -> None:
    """Many clients write half a surrogate pair as an escape, which strict parsers refuse."""
    async with stdio_server(upstream, tmp_path / "store") as pipe:
        call = {"name": "web_answer", "arguments": {"question": "Why \U0001f600, not \ud83d"}}
        await pipe.send("tools/call", call, 2)
        result = (await pipe.answer(2))["result"]
    assert result["structuredContent"]["content"] == "An answer to: Why \U0001f600, not \ufffd"


LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    *([pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop")] if importlib.util.find_spec("uvloop") else []),
]


@pytest.mark.parametrize("anyio_backend", LOOPS)
@ERAS
async def test_the_service_answers_on_each_event_loop_that_is_installed(
    upstream: Upstream, mode: Literal["auto", "legacy"], anyio_backend: Any
) -> None:
    from parallel_mcp.http import application
    from parallel_mcp.settings import Settings
    from tests.support.upstream import serving

    settings = Settings(api_key="k", base_url=upstream.url, store="memory:")
    async with serving(application(settings)) as url:
        result = await _ask(f"{url}/mcp", mode)
    assert json.loads(json.dumps(result.structured_content))["status"] == "completed"


async def test_what_callers_put_into_their_baggage_is_in_no_log(upstream: Upstream) -> None:
    call = {"name": "web_answer", "arguments": {"question": "Why?"}, "_meta": {"baggage": "planted in meta"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    async with http_server(upstream, "memory:", PARALLEL_MCP_LOG_LEVEL="DEBUG") as (process, url):
        async with httpx2.AsyncClient() as http:
            response = await http.post(url, json=message, headers={**headers, "baggage": "planted in a header"})
        await _ended(process, signal.SIGTERM)
        assert process.stderr is not None
        said = b"".join([part async for part in process.stderr])
    assert "An answer to: Why?" in response.text
    assert b"planted" not in said
