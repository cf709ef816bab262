"""Who is calling, decided in one function, and the middleware that authenticates requests."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from parallel_mcp import telemetry
from parallel_mcp.compat.authority import malformed
from parallel_mcp.research import caller_of
from parallel_mcp.server import NAME
from parallel_mcp.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def callers_are_known(settings: Settings) -> bool:
    """Whether every caller has to send a token or a key."""
    return bool(settings.access_tokens) or settings.bring_your_own_key


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """Why a request is rejected: the HTTP status and RFC 6750's error code, None if no token was sent."""

    status: Literal[400, 401, 403]
    error: str | None
    words: str


_NOTHING_SENT = AuthFailure(401, None, "Send a token in the Authorization: Bearer header or in x-api-key")

_WRONG = AuthFailure(401, "invalid_token", "The token is not valid for this server")

_CONTRADICTING = AuthFailure(400, "invalid_request", "Send one token, in one header")


def identify(headers: Headers, settings: Settings) -> tuple[str, str | None] | AuthFailure:
    """The caller's name and the Parallel key they bring, or why they are rejected.

    This is the only place that decides it.
    """
    if not callers_are_known(settings):
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
    # Compares every token, so that the time taken reveals nothing.
    names = [
        name
        for name, token in settings.access_tokens.items()
        if hmac.compare_digest(token.get_secret_value().encode(), given.encode())
    ]
    return (names[0], None) if names else _WRONG


def _sent(headers: Headers) -> Iterator[str]:
    """Every token in a request. Schemes other than Bearer may be meant for a proxy and are ignored."""
    for value in headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            yield token.strip()
    for value in headers.getlist("x-api-key"):
        if value.strip():
            yield value.strip()


class AuthMiddleware:
    """ASGI middleware: authenticates the caller and records who it is in the request's state.

    Checks the Host and Origin headers first, which a web page cannot forge, then the token. The body is
    read only after that.
    """

    def __init__(self, app: ASGIApp, settings: Settings, security: TransportSecuritySettings) -> None:
        self._app = app
        self._settings = settings
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan" or scope["path"] in ("/", "/healthz"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = malformed(request.headers) or await self._security.validate_request(request)
        if refusal is None:
            caller = self._caller(request)
            if isinstance(caller, AuthFailure):
                refusal = _refused(caller)
            else:
                scope.setdefault("state", {})["caller"] = caller
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # Events are not stored, and the SDK never answers a caller who asks for missed ones.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"last-event-id"]
        with telemetry.continued(request.headers):
            await self._app(scope, receive, send)

    def _caller(self, request: Request) -> tuple[str, str | None] | AuthFailure:
        caller = identify(request.headers, self._settings)
        if not callers_are_known(self._settings) and request.client and not is_loopback(request.client.host):
            # The app is bound to an address other than the one in the settings, or a proxy forwards remote callers.
            return AuthFailure(
                403, None, "Callers from other machines must authenticate: set PARALLEL_MCP_ACCESS_TOKENS"
            )
        return caller


def _refused(failure: AuthFailure) -> Response:
    """The rejection, with the WWW-Authenticate challenge that MCP clients look for."""
    if failure.status == 403:
        return PlainTextResponse(failure.words, status_code=403)
    challenge = f'Bearer realm="{NAME}"'
    if failure.error is not None:
        challenge += f', error="{failure.error}", error_description="{failure.words}"'
    return JSONResponse(
        {"error": failure.error or "unauthorized", "error_description": failure.words},
        status_code=failure.status,
        headers={"www-authenticate": challenge},
    )
