"""The server over Streamable HTTP: who is calling, health, limits."""

import hmac
import logging
import math
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Literal

import anyio
import uvicorn
from anyio.abc import TaskGroup
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp_types import INVALID_REQUEST
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp import telemetry
from parallel_mcp.errors import StoreFailed
from parallel_mcp.research import Heard, Store, caller_of
from parallel_mcp.server import NAME, Server, build
from parallel_mcp.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

MOST_BODY_BYTES = 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  # named in order to warn about them
SHORT_TOKEN_CHARS = 16
EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
STORE_SECONDS = 2.0
"""How long /healthz waits for the store."""
STORE_AGE_SECONDS = 1.0
"""How old what /healthz says of the store may be: however often it is asked, the store is asked once in that time."""


def application(settings: Settings) -> Starlette:
    """The ASGI app: `/mcp` and `/healthz`.

    Raises SettingsError where it would let strangers spend the server's key.
    """
    if not is_loopback(settings.host) and not _callers_are_known(settings):
        raise SettingsError(
            "PARALLEL_MCP_HOST is not a loopback address, so callers must be known: set PARALLEL_MCP_ACCESS_TOKENS "
            "(name:token, ...), or PARALLEL_MCP_BRING_YOUR_OWN_KEY=true"
        )
    _warn(settings)
    server = build(settings)
    health = _Health(server)
    server.custom_route("/healthz", methods=["GET"])(health.answer)
    security = _security(settings)
    app = server.streamable_http_app(
        # Stateless, so that any replica serves any request.
        stateless_http=True,
        max_request_body_size=MOST_BODY_BYTES,
        transport_security=security,
        host=settings.host,
    )
    app.user_middleware.append(Middleware(_Door, settings=settings, security=security))
    app.user_middleware.append(Middleware(_Heartbeat, seconds=settings.heartbeat_seconds))
    app.user_middleware.append(Middleware(_PlainWords))
    app.user_middleware.append(Middleware(_Mended))
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with serving(app) as state, health.running():
            yield state

    app.router.lifespan_context = lifespan
    return app


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _callers_are_known(settings: Settings) -> bool:
    return bool(settings.access_tokens) or settings.bring_your_own_key


def _warn(settings: Settings) -> None:
    """Say what will not work, or not be safe, although it starts."""
    for name, token in settings.access_tokens.items():
        if len(token.get_secret_value()) < SHORT_TOKEN_CHARS:
            logger.warning("The access token of %s is short and can be guessed: make it of 32 random characters", name)
    if settings.host in ANY_ADDRESS and not settings.allowed_hosts:
        logger.warning(
            "Only callers who use the name localhost will be served: set PARALLEL_MCP_ALLOWED_HOSTS to the names "
            "and addresses that callers use for this server"
        )


@dataclass(frozen=True, slots=True)
class Stranger:
    """Why a request is not let in: the HTTP status, and RFC 6750's error code, none where nothing was sent."""

    status: Literal[400, 401, 403]
    error: str | None
    words: str


_NOTHING_SENT = Stranger(401, None, "Send a token as Authorization: Bearer, or as x-api-key")
_WRONG = Stranger(401, "invalid_token", "The token is not valid here")
_CONTRADICTING = Stranger(400, "invalid_request", "Send one token, in one header")


def identify(headers: Headers, settings: Settings) -> tuple[str, str | None] | Stranger:
    """Who is calling, as a caller's name and the Parallel key they bring; or why they are not let in.

    This is the one place where it is decided.
    """
    if not _callers_are_known(settings):
        return ("local", None)
    sent = set(_sent(headers))
    if not sent:
        return _NOTHING_SENT
    if len(sent) > 1:
        return _CONTRADICTING
    given = sent.pop()
    if settings.bring_your_own_key:
        fits = given.isascii() and given.isprintable() and " " not in given
        return (caller_of(given), given) if fits else _WRONG
    # Every token is compared, so that the time taken tells nothing.
    names = [
        name
        for name, token in settings.access_tokens.items()
        if hmac.compare_digest(token.get_secret_value().encode(), given.encode())
    ]
    return (names[0], None) if names else _WRONG


def _sent(headers: Headers) -> Iterator[str]:
    """Every token of a request. Other schemes than Bearer may be meant for a proxy on the way, and are none."""
    for value in headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            yield token.strip()
    for value in headers.getlist("x-api-key"):
        if value.strip():
            yield value.strip()


class _Door:
    """ASGI middleware: lets in who belongs, and notes on the request who that is.

    First the Host and Origin headers, which a browser sends truly and a page cannot forge; then who is
    calling; the body is read after that, by the app behind.
    """

    def __init__(self, app: ASGIApp, settings: Settings, security: TransportSecuritySettings) -> None:
        self._app = app
        self._settings = settings
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] == "/healthz":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = await self._security.validate_request(request)
        if refusal is None:
            caller = self._caller(request)
            if isinstance(caller, Stranger):
                refusal = _refused(caller)
            else:
                scope.setdefault("state", {})["caller"] = caller
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # No events are kept, and the SDK says nothing at all to a caller who wants those that they missed.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"last-event-id"]
        with telemetry.continued(request.headers):
            await self._app(scope, receive, send)

    def _caller(self, request: Request) -> tuple[str, str | None] | Stranger:
        caller = identify(request.headers, self._settings)
        if not _callers_are_known(self._settings) and request.client and not is_loopback(request.client.host):
            # The app was bound to another address than the settings say, or a proxy hands strangers on.
            return Stranger(403, None, "Callers from other machines must be known: PARALLEL_MCP_ACCESS_TOKENS")
        return caller


def _refused(stranger: Stranger) -> Response:
    """The refusal, with the challenge that MCP clients look for."""
    if stranger.status == 403:
        return PlainTextResponse(stranger.words, status_code=403)
    challenge = f'Bearer realm="{NAME}"'
    if stranger.error is not None:
        challenge += f', error="{stranger.error}", error_description="{stranger.words}"'
    return JSONResponse(
        {"error": stranger.error or "unauthorized", "error_description": stranger.words},
        status_code=stranger.status,
        headers={"www-authenticate": challenge},
    )


def _security(settings: Settings) -> TransportSecuritySettings:
    """Host and Origin checks, on every address. The address that is bound is a name of this server too."""
    bound = () if settings.host in ANY_ADDRESS else (settings.host,)
    names = dict.fromkeys(_bracketed(name) for name in (*LOOPBACK, *bound, *settings.allowed_hosts))
    hosts = [pattern for name in names for pattern in ((name,) if _has_port(name) else (name, f"{name}:*"))]
    origins = [f"http://{name}{port}" for name in LOOPBACK for port in ("", ":*")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=[*origins, *settings.allowed_origins],
    )


def _bracketed(name: str) -> str:
    """A host as it stands in a Host header."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]


class _Heartbeat:
    """ASGI middleware: where a caller takes an event stream, no more than so many seconds pass without a byte.

    Proxies cut what is silent for a minute, and a caller who asked for no progress hears nothing of a long call.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or EVENT_STREAM not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        response = _KeptAlive(receive, send, self._seconds)
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(response.beat)
            try:
                await self._app(scope, response.receive, response.send)
            except Exception as error:
                # Carried out of the group, which would wrap it.
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class _KeptAlive:
    """One response, with comment lines between its events whenever nothing else was sent.

    The SDK puts off the head of a modern response until there is an event, because it may yet be plain
    JSON with a status of its own. After a heartbeat the head is sent from here, and JSON becomes an event.
    """

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._asked = anyio.Event()
        self._news = anyio.Event()
        self._sending = anyio.Lock(fast_acquire=True)
        self._stage: Literal["not begun", "stream", "begun here", "as it is", "as an event"] = "not begun"
        self._body = b""

    async def receive(self) -> Message:
        """The app's next message. The clock starts when the request has come in whole."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._asked.set()
        return message

    async def beat(self) -> None:
        """Send a comment each time that nothing was sent for so long."""
        await self._asked.wait()
        while True:
            self._news = anyio.Event()
            with anyio.move_on_after(self._seconds):
                await self._news.wait()
                continue
            async with self._sending:
                if self._stage == "not begun":
                    await self._send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
                    self._stage = "begun here"
                if self._stage in ("stream", "begun here"):
                    await self._send({"type": "http.response.body", "body": b": keepalive\r\n\r\n", "more_body": True})

    async def send(self, message: Message) -> None:
        """Take a message of the app's. Each body is a whole event, so that a comment may stand behind it."""
        self._news.set()
        async with self._sending:
            if message["type"] == "http.response.start":
                await self._start(message)
            elif self._stage == "as an event":
                await self._as_an_event(message)
            else:
                if not message.get("more_body", False):
                    self._stage = "as it is"
                await self._send(message)

    async def _start(self, message: Message) -> None:
        stream = Headers(raw=message["headers"]).get("content-type", "").startswith(EVENT_STREAM)
        if self._stage == "begun here":
            self._stage = "stream" if stream else "as an event"
            return
        self._stage = "stream" if stream else "as it is"
        await self._send(message)

    async def _as_an_event(self, message: Message) -> None:
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            lines = b"".join(b"data: " + line + b"\r\n" for line in self._body.splitlines())
            await self._send({"type": "http.response.body", "body": b"event: message\r\n" + lines + b"\r\n"})


class _PlainWords:
    """ASGI middleware: says in a sentence what the SDK says in pydantic's words, with the request quoted in them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def plain(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                held.append(message)
            elif held and b'"Validation error: ' in message.get("body", b""):
                held.clear()
                await _NO_MESSAGE(scope, receive, send)
            else:
                for start in held:
                    await send(start)
                held.clear()
                await send(message)

        await self._app(scope, receive, plain)


_NO_MESSAGE = JSONResponse(
    {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": "This is no JSON-RPC message"}},
    status_code=400,
)


class _Mended:
    """ASGI middleware: writes a replacement character for half a surrogate pair, over which the SDK refuses a request.

    Many clients write one where they cut a text in the midst of an emoji.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def whole() -> Message:
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body", False) or len(body) > MOST_BODY_BYTES:
                    break
            return {**message, "body": _ESCAPES.sub(_mended, body)} if message["type"] == "http.request" else message

        await self._app(scope, whole if scope["type"] == "http" else receive, send)


# A whole pair, a half, and any other escape, which may be a backslash.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _mended(escape: re.Match[bytes]) -> bytes:
    """As long as it was, so that the length that was announced is right."""
    return rb"\ufffd" if escape[1] else escape[0]


class _Health:
    """What /healthz says: whether the store can be used, and what was last heard of Parallel. It costs nothing.

    Anybody may ask, so it says neither where things are nor why they fail, and asks the store seldom.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._store: Literal["ok", "failing"] | None = None
        self._asking = False
        self._until = -math.inf
        self._answered = anyio.Event()
        self._group: TaskGroup

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Be able to answer, for as long as the block lasts."""
        async with anyio.create_task_group() as self._group:
            yield
            self._group.cancel_scope.cancel()

    async def answer(self, _: Request) -> Response:
        """200, or 503 where research cannot be kept."""
        works = self._server.works
        assert works is not None
        if not self._asking and anyio.current_time() >= self._until:
            self._asking, self._store, self._answered = True, None, anyio.Event()
            self._group.start_soon(self._ask, works.desk.store)
        with anyio.move_on_after(STORE_SECONDS):
            await self._answered.wait()
        store = self._store or "slow"
        status = "ok" if store == "ok" else "failing"
        return JSONResponse(
            {"status": status, "store": store, "upstream": _told(works.desk.heard)},
            status_code=200 if status == "ok" else 503,
            headers={"cache-control": "no-store"},
        )

    async def _ask(self, store: Store) -> None:
        """Have the store write nothing, which it cannot do unless it could write something."""
        try:
            await store.leave("healthz", "healthz")
        except StoreFailed as error:
            logger.warning("The store cannot be used: %s", error)
            self._store = "failing"
        except Exception as error:
            logger.error("The store failed in a way that nobody foresaw: %s", type(error).__name__)
            self._store = "failing"
        else:
            self._store = "ok"
        finally:
            self._asking, self._until = False, anyio.current_time() + STORE_AGE_SECONDS
            self._answered.set()


def _told(heard: Heard) -> str:
    if not heard.anything:
        return "unknown"
    if heard.failing_since is None:
        return "ok"
    return f"failing since {datetime.fromtimestamp(heard.failing_since, UTC):%Y-%m-%dT%H:%M:%SZ}"


class _Service(uvicorn.Server):
    """uvicorn that says when it listens, and exits with 0 after a signal instead of raising it once more."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; a second one stops at once."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def run(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until a signal comes; `ready` gets the URL once it listens.

    Raises SettingsError, or OSError where the address cannot be had.
    """
    # It would break the streams of the first era off at the signal, and so take their calls the time to finish.
    AppStatus.enable_automatic_graceful_drain = False
    config = uvicorn.Config(
        application(settings),
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=max(round(settings.shutdown_seconds), 1),
    )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}/mcp"
    _Service(config, lambda: ready(url)).run(sockets=[listener])
