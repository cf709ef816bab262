"""The ASGI app: `/mcp`, `/healthz` and `/`, with the middleware around them."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from parallel_mcp.compat.accept import AcceptEither
from parallel_mcp.compat.http_errors import PlainErrors
from parallel_mcp.compat.messages import MessageRepair
from parallel_mcp.http.callers import LOOPBACK, AuthMiddleware, callers_are_known, is_loopback
from parallel_mcp.http.health import Health
from parallel_mcp.http.home import home
from parallel_mcp.http.keep_alive import KeepAliveMiddleware
from parallel_mcp.http.separators import EscapeSeparators
from parallel_mcp.server import build
from parallel_mcp.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  # listed only to warn about them

SHORT_TOKEN_CHARS = 16
REQUEST_HEADERS = (
    *("accept", "authorization", "content-type", "last-event-id", "x-api-key", "traceparent"),
    *("mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"),
)


def application(settings: Settings) -> Starlette:
    """The ASGI app: `/mcp`, `/healthz` and a page at `/`.

    Raises SettingsError if it would let unknown callers spend the server's key.
    """
    if not is_loopback(settings.host) and not callers_are_known(settings):
        raise SettingsError(
            "PARALLEL_MCP_HOST is not a loopback address, so callers must authenticate: set PARALLEL_MCP_ACCESS_TOKENS "
            "(name:token, ...), or PARALLEL_MCP_BRING_YOUR_OWN_KEY=true"
        )
    _warn(settings)
    server = build(settings)
    health = Health(server)
    server.custom_route("/healthz", methods=["GET"])(health.answer)
    server.custom_route("/", methods=["GET"])(home)
    security = _security(settings)
    app = server.streamable_http_app(
        # Stateless, so any replica can serve any request.
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=security,
        host=settings.host,
    )
    app.user_middleware.append(_cors(security))
    app.user_middleware.append(Middleware(WithoutTrailingSlash))
    app.user_middleware.append(Middleware(AuthMiddleware, settings=settings, security=security))
    app.user_middleware.append(Middleware(EscapeSeparators))
    app.user_middleware.append(Middleware(AcceptEither))
    app.user_middleware.append(Middleware(KeepAliveMiddleware, seconds=settings.heartbeat_seconds))
    app.user_middleware.append(Middleware(PlainErrors))
    app.user_middleware.append(Middleware(MessageRepair, max_bytes=MAX_BODY_BYTES))
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with serving(app) as state, health.running():
            yield state

    app.router.lifespan_context = lifespan
    return app


def _warn(settings: Settings) -> None:
    """Log settings that let the server start but are unsafe or will not work."""
    for name, token in settings.access_tokens.items():
        if len(token.get_secret_value()) < SHORT_TOKEN_CHARS:
            logger.warning("The access token of %s is short enough to guess: use 32 random characters", name)
    if settings.host in ANY_ADDRESS and not settings.allowed_hosts:
        logger.warning(
            "Only requests for the host name localhost will be served: set PARALLEL_MCP_ALLOWED_HOSTS to the names "
            "and addresses that callers use for this server"
        )


class WithoutTrailingSlash:
    """ASGI middleware: serves `/mcp/` as `/mcp`. On a redirect some clients drop the body, others the key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"] == "/mcp/":
            scope = {**scope, "path": "/mcp", "raw_path": b"/mcp"}
        await self._app(scope, receive, send)


def _cors(security: TransportSecuritySettings) -> Middleware:
    """CORS for the allowed origins. It runs before authentication, because a preflight carries no token."""
    exact = [origin for origin in security.allowed_origins if not origin.endswith(":*")]
    ports = [re.escape(origin.removesuffix(":*")) for origin in security.allowed_origins if origin.endswith(":*")]
    return Middleware(
        CORSMiddleware,
        allow_origins=exact,
        allow_origin_regex=rf"(?:{'|'.join(ports)}):[0-9]+" if ports else None,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=REQUEST_HEADERS,
        expose_headers=["mcp-session-id", "mcp-protocol-version", "www-authenticate"],
        max_age=3600,
    )


def _security(settings: Settings) -> TransportSecuritySettings:
    """Host and Origin checks, whatever address is bound. The bound address is an allowed host too."""
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
    """A host as written in a Host header."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]
