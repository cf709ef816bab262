"""300 simultaneous calls of 3 seconds each: how long all of them take, and how many are upstream at once.

    python benchmarks/concurrency.py [--calls 300] [--seconds 3] [--stdio]

Everything runs on this machine, in three processes: an upstream that answers after this many seconds,
the server, and this one, which calls it. Each line is a layer: the client alone, then the whole
server over Streamable HTTP (and stdio), for each tool and era.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import PRICES, Question

Era = Literal["auto", "legacy"]
Call = Callable[[int], Coroutine[Any, Any, str | None]]

ERAS: tuple[Era, ...] = ("auto", "legacy")
TOOLS = ("web_answer", "deep_research")
LIMIT_SECONDS = 4.5


class Upstream:
    """Answers each question after `seconds`. `/most` returns how many waited at once, and resets that."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/most":
            body, self.most = json.dumps(self.most).encode(), 0
            await _respond(send, "application/json", body)
            return
        while (await receive()).get("more_body"):
            pass
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(self.seconds)
        self.now -= 1
        chunk = json.dumps({"choices": [{"delta": {"content": "It is so."}}]})
        await _respond(send, "text/event-stream", f"data: {chunk}\n\ndata: [DONE]\n\n".encode())


async def _respond(send: Any, kind: str, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
    await send({"type": "http.response.body", "body": body})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(*arguments: str, port: int, **env: str) -> Iterator[None]:
    """One of our processes, once its port answers."""
    with subprocess.Popen([sys.executable, *arguments], env={**os.environ, **env}) as process:
        try:
            while process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            if process.returncode is not None:
                sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
            yield
        finally:
            process.terminate()


@contextmanager
def _upstream(seconds: float) -> Iterator[str]:
    port = _free_port()
    with _process(__file__, "--seconds", str(seconds), "--upstream", str(port), port=port):
        yield f"http://127.0.0.1:{port}"


def _settings(upstream: str, folder: str) -> dict[str, str]:
    return {
        "PARALLEL_API_KEY": "benchmark-key",
        "PARALLEL_BASE_URL": upstream,
        "PARALLEL_MCP_REQUESTS_PER_MINUTE": "1000000",
        "PARALLEL_MCP_STORE": str(Path(folder) / "research.sqlite3"),
    }


async def _timed(name: str, upstream: str, calls: int, call: Call) -> bool:
    """Make all calls at once, and print the result. A call returns what went wrong, or None."""
    failures: list[str] = []

    async def one(number: int) -> None:
        if failure := await call(number):
            failures.append(failure)

    began = time.perf_counter()
    async with anyio.create_task_group() as group:
        for number in range(calls):
            group.start_soon(one, number)
    took = time.perf_counter() - began
    async with httpx2.AsyncClient() as http:
        most = (await http.get(f"{upstream}/most")).json()
    verdict = "ok" if took <= LIMIT_SECONDS and most == calls and not failures else "NOT MET"
    print(f"{name:<42} {calls} calls  {took:5.2f} s  {most} upstream at once  {verdict}", flush=True)
    if failures:
        print(f"    {len(failures)} failed: {failures[0]}", flush=True)
    return verdict == "ok"


async def _client_alone(upstream: str, calls: int) -> bool:
    async with open_http(upstream) as http:
        client = ChatClient(http, Pacing(1_000_000), timeouts=dict.fromkeys(PRICES, 60.0), prices=PRICES)

        async def call(number: int) -> str | None:
            question = Question(text=f"Why {number}?", model="speed")
            try:
                await client.ask(
                    question,
                    "benchmark-key",
                    payer="p",
                    caller="c",
                    on_progress=lambda _: None,
                    on_sent=lambda: None,
                )
            except ParallelError as error:
                return str(error)
            return None

        return await _timed("the client alone", upstream, calls, call)


async def _posted(port: int, era: Era, name: str, arguments: dict[str, str]) -> str | None:
    """One tool call on its own connection, written by hand: the SDK's client would be the bottleneck."""
    version = "2026-07-28" if era == "auto" else "2025-11-25"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    }
    params = {"name": name, "arguments": arguments, **({"_meta": meta} if era == "auto" else {})}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = [
        *("POST /mcp HTTP/1.1", f"host: 127.0.0.1:{port}", "content-type: application/json", "connection: close"),
        *("accept: application/json, text/event-stream", f"mcp-protocol-version: {version}"),
        *("mcp-method: tools/call", f"mcp-name: {name}", f"content-length: {len(body)}"),
    ]
    answer = b""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send("\r\n".join([*head, "", body]).encode())
        async for part in stream:
            answer += part
    return None if b"It is so." in answer else answer.decode("utf-8", "replace")[-500:]


async def _over_http(upstream: str, calls: int, port: int, tool: str, era: Era) -> bool:
    async def call(number: int) -> str | None:
        return await _posted(port, era, tool, {"question": f"Why {number}, {era}?"})

    return await _timed(f"{tool} over Streamable HTTP, {era}", upstream, calls, call)


async def _over_stdio(upstream: str, calls: int, client: Client, tool: str, era: Era) -> bool:
    async def call(number: int) -> str | None:
        result = await client.call_tool(tool, {"question": f"Why {number}, {era}?"})
        return str(result.content[0]) if result.is_error else None

    return await _timed(f"{tool} over stdio, {era}", upstream, calls, call)


async def _server_over_http(upstream: str, calls: int) -> list[bool]:
    port = _free_port()
    found: list[bool] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _process("-m", "parallel_mcp", "http", "--port", str(port), port=port, **_settings(upstream, folder)),
    ):
        for era, tool in product(ERAS, TOOLS):
            found.append(await _over_http(upstream, calls, port, tool, era))
    return found


async def _server_over_stdio(upstream: str, calls: int) -> list[bool]:
    found: list[bool] = []
    for era in ERAS:
        with tempfile.TemporaryDirectory() as folder:
            env = _settings(upstream, folder)
            parameters = StdioServerParameters(command=sys.executable, args=["-m", "parallel_mcp"], env=env)
            async with Client(stdio_client(parameters), mode=era) as client:
                found += [await _over_stdio(upstream, calls, client, tool, era) for tool in TOOLS]
    return found


async def _main(calls: int, seconds: float, stdio: bool) -> bool:
    with _upstream(seconds) as upstream:
        found = [await _client_alone(upstream, calls)]
        found += await _server_over_http(upstream, calls)
        if stdio:
            found += await _server_over_stdio(upstream, calls)
    return all(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--stdio", action="store_true")
    parser.add_argument("--upstream", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        uvicorn.run(Upstream(given.seconds), port=given.upstream, log_level="error", lifespan="off", backlog=1024)
    else:
        sys.exit(0 if anyio.run(_main, given.calls, given.seconds, given.stdio) else 1)
