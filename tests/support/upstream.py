"""A scripted Chat endpoint on a real socket, for behaviour that the sandbox does not produce on demand.

By default it answers every question at once with one citation. A test sets `reply` to its own
ASGI app maker, or holds requests back with `hold()`.
"""

import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import httpx2
import uvicorn
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from parallel_mcp.client.transport import AiohttpTransport

BASIS = [
    {
        "field": "output",
        "reasoning": "The page says so.",
        "confidence": "high",
        "citations": [{"url": "https://example.com/a", "title": "A", "excerpts": ["It is so."]}],
    }
]


@dataclass
class Received:
    """One request as received."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])


Reply = Callable[[Received], Awaitable[ASGIApp]]


@dataclass
class Upstream:
    """`received` are the requests so far; `closed` counts those whose client left before the answer."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    closed: int = 0
    reply: Reply | None = None
    _gate: anyio.Event | None = None
    _news: anyio.Event = field(default_factory=anyio.Event)

    def hold(self) -> anyio.Event:
        """Answer nothing until the returned event is set."""
        self._gate = anyio.Event()
        return self._gate

    async def until(self, condition: Callable[["Upstream"], bool], seconds: float = 10) -> None:
        """Wait until something happens here."""
        with anyio.fail_after(seconds):
            while not condition(self):
                await self._news.wait()

    async def requests(self, count: int, seconds: float = 10) -> None:
        """Wait until `count` requests have arrived."""
        await self.until(lambda self: len(self.received) >= count, seconds)

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        received = Received(json.loads(await request.body() or b"{}"), dict(request.headers))
        self.received.append(received)
        self._tell()
        if self._gate is not None and not await self._held(self._gate, request):
            return
        app = await self.reply(received) if self.reply is not None else answered(received)
        await app(scope, receive, send)

    async def _held(self, gate: anyio.Event, request: Request) -> bool:
        """Wait for the gate. False if the client left first."""
        went = False

        async def watch(scope: anyio.CancelScope) -> None:
            nonlocal went
            while (await request.receive())["type"] != "http.disconnect":
                pass
            went = True
            self.closed += 1
            self._tell()
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch, group.cancel_scope)
            await gate.wait()
            group.cancel_scope.cancel()
        return not went


def content_for(received: Received) -> str:
    """The content of the default answer: JSON if a schema asks for an answer with citations."""
    schema = received.body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    text = f"An answer to: {received.question}"
    if set(schema.get("properties", {})) == {"answer", "citations"}:
        return json.dumps({"answer": text, "citations": ["https://example.com/a"]})
    return text


def completion(content: str, **more: Any) -> dict[str, Any]:
    """A Chat completion that was not streamed."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": None}
    return {"id": None, "object": None, "created": 1, "model": None, "choices": [choice], "usage": None, **more}


def chunk(content: str | None = None, **more: Any) -> str:
    """One chunk's data."""
    delta = {} if content is None else {"content": content}
    choices = [{"index": 0, "delta": delta, "finish_reason": None}]
    return json.dumps({"object": "chat.completion.chunk", "choices": choices, **more})


def events(*data: str) -> Response:
    """A stream of these events."""

    async def lines() -> AsyncIterator[str]:
        for item in data:
            yield f"data: {item}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def answered(received: Received) -> Response:
    """The default answer, streamed or not as requested. An empty request is refused."""
    if not received.body:
        return JSONResponse({"detail": "model: Field required"}, status_code=422)
    more: dict[str, Any] = {"interaction_id": "i-1"}
    if received.body["model"] != "speed":
        more["basis"] = BASIS
    content = content_for(received)
    if received.body.get("stream"):
        middle = len(content) // 2
        return events(chunk(content[:middle]), chunk(content[middle:]), chunk(**more), "[DONE]")
    return JSONResponse(completion(content, **more))


@asynccontextmanager
async def upstream_running() -> AsyncIterator[Upstream]:
    """The endpoint on a free loopback port."""
    upstream = Upstream()
    async with serving(upstream) as url:
        upstream.url = url
        yield upstream


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Any ASGI app on the loopback. Yields its URL. On exit, ends its lifespan and drops its open requests."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        lifespan="auto",
        timeout_graceful_shutdown=0.2,  # type: ignore[arg-type]  # uvicorn passes it on to wait_for
    )
    server = uvicorn.Server(config)
    stopped = anyio.Event()

    async def serve() -> None:
        # Shielded, so that a failing test leaves no socket open.
        with anyio.CancelScope(shield=True):
            await server._serve()
        stopped.set()

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        with anyio.fail_after(10):
            while not server.started:
                await anyio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            with anyio.CancelScope(shield=True):
                await stopped.wait()


@dataclass
class Peer:
    """One request on a raw socket, to be answered byte by byte."""

    stream: ByteStream
    received: Received

    @property
    def streams(self) -> bool:
        """Whether it asks for a stream."""
        return bool(self.received.body.get("stream"))

    async def send(self, *parts: bytes | str) -> None:
        for part in parts:
            await self.stream.send(part.encode() if isinstance(part, str) else part)

    async def head(self, status: int = 200, kind: str = "application/json", *lines: str) -> None:
        """The status line and headers of a response that ends when the connection does."""
        await self.send(f"HTTP/1.1 {status} X\r\n", "\r\n".join([f"content-type: {kind}", *lines, "connection: close"]))
        await self.send("\r\n\r\n")

    async def chunk(self, data: bytes | str) -> None:
        """A piece of a chunked body. An empty one ends it."""
        data = data.encode() if isinstance(data, str) else data
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def gone(self) -> None:
        """Wait until the client has left."""
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await self.stream.receive()

    async def reset(self) -> None:
        """Abort the connection, so that the client sees a reset and not an end."""
        linger = struct.pack("ii", 1, 0)
        self.stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await self.stream.aclose()


@dataclass
class RawUpstream:
    """A scripted endpoint below HTTP: `connections` made, `open` ones, and complete requests `received`."""

    url: str
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    _news: anyio.Event = field(default_factory=anyio.Event)

    def tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition: Callable[["RawUpstream"], bool], seconds: float = 10) -> None:
        """Wait until something happens here."""
        with anyio.fail_after(seconds):
            while not condition(self):
                await self._news.wait()


@asynccontextmanager
async def raw_upstream(
    answer: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawUpstream]:
    """A server on a free loopback port that passes each request to `answer`, one per connection."""
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0, backlog=1024)
    port = tcp.extra(SocketAttribute.local_port)
    upstream = RawUpstream(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    listener = tcp if tls is None else TLSListener(tcp, tls, standard_compatible=False)

    async def serve(stream: ByteStream) -> None:
        upstream.connections += 1
        upstream.open += 1
        try:
            async with stream:
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    received = await _request(stream)
                    upstream.received.append(received)
                    upstream.tell()
                    await answer(Peer(stream, received))
        finally:
            upstream.open -= 1
            upstream.tell()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            try:
                yield upstream
            finally:
                group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await listener.aclose()


async def _request(stream: ByteStream) -> Received:
    buffered = BufferedByteReceiveStream(stream)
    head = (await buffered.receive_until(b"\r\n\r\n", 100_000)).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await buffered.receive_exactly(int(headers.get("content-length", 0)))
    return Received(json.loads(body or b"{}"), headers)


def connections(http: httpx2.AsyncClient) -> tuple[int, int]:
    """How many connections of our client are in use and how many are open, to check that none is leaked."""
    transport = http._transport
    assert isinstance(transport, AiohttpTransport)
    if transport._session is None:
        return 0, 0
    connector: Any = transport._session.connector
    in_use = len(connector._acquired)
    return in_use, in_use + sum(map(len, connector._conns.values()))


def self_made_certificate(folder: Path) -> Path:
    """A file with a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()) + certificate.public_bytes(pem))
    return file


def self_made_tls(folder: Path) -> ssl.SSLContext:
    """A server's TLS context with such a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_made_certificate(folder))
    return context
