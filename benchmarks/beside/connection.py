"""A server as a process, called with handwritten JSON-RPC: an SDK's client would cost more than the servers."""

import asyncio
import itertools
import json
import os
import re
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.beside.table import Server

PROTOCOL = "2025-11-25"
PREFIX = "io.modelcontextprotocol/"
META = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}}
MARK = "BESIDE_RUN"
_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30.0
IDLE_SECONDS = 1.0


class Failed(Exception):
    """A call did not return its answer. The text says why."""


class Channel(Protocol):
    """A connection to a server."""

    async def request(self, method: str, params: dict[str, Any]) -> bytes:
        """The line with the response, as received."""
        ...

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


@dataclass
class Pipes:
    """Stdio: lines out, lines in, responses matched by id."""

    process: asyncio.subprocess.Process
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[int, "asyncio.Future[bytes]"] = field(default_factory=dict)

    async def request(self, method: str, params: dict[str, Any]) -> bytes:
        answer, _ = self.send(method, params)
        return await answer

    def send(self, method: str, params: dict[str, Any]) -> tuple["asyncio.Future[bytes]", int]:
        """The future response, and the id."""
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return future, number

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def close(self) -> None:
        """Close stdin."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(ConnectionError):
            await self.process.stdin.wait_closed()

    async def read(self) -> None:
        """Pass every response to its waiter, until the server exits."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            if "method" in message:
                continue
            waiting = self._waiting.pop(message["id"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(line)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Failed("the server is gone"))
                waiting.exception()


@dataclass
class Posts:
    """Streamable HTTP: one POST per message, over kept connections."""

    port: int
    _session: str | None = None
    _idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def request(self, method: str, params: dict[str, Any]) -> bytes:
        return await self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        await self._post({"jsonrpc": "2.0", "method": method, "params": params})

    async def post(self, path: str, body: dict[str, Any]) -> bytes:
        """Plain HTTP, for what is not an MCP server."""
        return await self._exchange(path, json.dumps(body).encode(), [])

    async def _post(self, message: dict[str, Any]) -> bytes:
        version = [] if message["method"] == "initialize" else [f"mcp-protocol-version: {PROTOCOL}"]
        session = [f"mcp-session-id: {self._session}"] if self._session else []
        return await self._exchange("/mcp", json.dumps(message).encode(), version + session)

    async def _exchange(self, path: str, body: bytes, headers: list[str]) -> bytes:
        lines = [
            *(f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", "content-type: application/json"),
            *("accept: application/json, text/event-stream", f"content-length: {len(body)}"),
            *headers,
        ]
        reader, writer = await self._opened()
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head, answer = await _response(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Failed(f"the server closed the connection: {error}") from None
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append((time.monotonic(), reader, writer))
        if session := re.search(rb"mcp-session-id: *(\S+)", head):
            self._session = session[1].decode()
        if not re.match(rb"http/1.1 2", head):
            raise Failed(f"{head[:20].decode()}: {answer[:300].decode()}")
        if b"text/event-stream" not in head:
            return answer
        return next((line[5:] for line in reversed(answer.splitlines()) if line.startswith(b"data:") and line[5:]), b"")

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A recently used connection or a new one, since a server may be closing one that was idle for longer."""
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def close(self) -> None:
        """Close the kept connections."""
        for _, _, writer in self._idle:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _response(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head, in lower case, and the body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if length := re.search(rb"content-length: *(\d+)", head):
        return head, await reader.readexactly(int(length[1]))
    body = b""
    if b"transfer-encoding: chunked" in head:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    return head, body


@dataclass
class Running:
    """A server that has listed its tools."""

    server: Server
    channel: Channel
    process: asyncio.subprocess.Process
    mark: str
    started_ms: float
    listed: bytes

    async def ask(self, kind: str, question: str) -> None:
        """One call, which must be answered with this question's answer. Raises Failed."""
        tool = self.server.tool(kind)
        assert tool is not None
        line = await self.channel.request("tools/call", tool.call(question))
        judge(line, question)

    def processes(self) -> list[int]:
        """The ids of all its processes, even of those that left its group."""
        return processes(self.mark)

    def cpu_seconds(self) -> float:
        """What its processes have used so far, including finished threads."""
        return sum(_cpu(pid) for pid in self.processes())

    def memory_mb(self) -> float:
        """The memory that its processes use now."""
        return sum(_memory(pid) for pid in self.processes())


def judge(line: bytes, question: str) -> None:
    """Raise Failed if the response is an error or answers something else."""
    if b'"isError":true' in line.replace(b" ", b"") or question.encode() not in line:
        raise Failed(line[:400].decode("utf-8", "replace"))


def processes(mark: str) -> list[int]:
    """The ids of the processes started with this mark, with all descendants."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def _memory(pid: int) -> float:
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answering(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.005)
    raise Failed(f"the server ended with {process.returncode} before it listened")


async def shake_hands(channel: Channel) -> bytes:
    """What a host says first; the answer to tools/list."""
    client = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "beside", "version": "1"}}
    await channel.request("initialize", client)
    await channel.notify("notifications/initialized", {})
    return await channel.request("tools/list", {})


async def _discover(channel: Channel) -> bytes:
    """The same without a handshake. Raises Failed where the server knows only handshakes."""
    said = await channel.request("server/discover", {"_meta": META})
    if b'"supportedVersions"' not in said:
        raise Failed(said[:300].decode("utf-8", "replace"))
    return await channel.request("tools/list", {"_meta": META})


@asynccontextmanager
async def running(
    server: Server, transport: str, stub: str, folder: str, *, modern: bool = False
) -> AsyncIterator[Running]:
    """Start it as a host would, with a handshake or, if `modern`, by discovery. Nothing of it is left at the end."""
    port, mark = free_port(), uuid.uuid4().hex
    words, env = server.command(transport, stub=stub, port=str(port), folder=folder)
    quiet = asyncio.subprocess.DEVNULL
    pipes = asyncio.subprocess.PIPE if transport == "stdio" else quiet
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=pipes,
        stdout=pipes,
        stderr=quiet,
        limit=2**24,
        env={**env, MARK: mark},
        start_new_session=True,
    )
    channel = Pipes(process) if transport == "stdio" else Posts(port)
    reading = asyncio.create_task(channel.read()) if isinstance(channel, Pipes) else None
    try:
        async with asyncio.timeout(_START_SECONDS):
            if reading is None:
                await _answering(port, process)
            listed = await (_discover if modern else shake_hands)(channel)
        took = (time.perf_counter() - began) * 1000
        yield Running(server, channel, process, mark, took, listed)
    finally:
        for pid in processes(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()
        await channel.close()
        if reading is not None:
            await reading
