"""Who is calling, decided in one function, and the middleware that lets them in."""

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
    """Why a request is not let in: the HTTP status, and RFC 6750's error code, none where nothing was sent."""

    status: Literal[400, 401, 403]
    error: str | None
    words: str


_NOTHING_SENT = AuthFailure(401, None, "Send a token as Authorization: Bearer, or as x-api-key")

_WRONG = AuthFailure(401, "invalid_token", "The token is not valid here")

_CONTRADICTING = AuthFailure(400, "invalid_request", "Send one token, in one header")


def identify(headers: Headers, settings: Settings) -> tuple[str, str | None] | AuthFailure:
    """Who is calling, as a caller's name and the Parallel key they bring; or why they are not let in.

    This is the one place where it is decided.
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


class AuthMiddleware:
    """ASGI middleware: lets in who belongs, and notes on the request who that is.

    First the Host and Origin headers, which a browser sends truly and a page cannot forge; then who is
    calling; the body is read after that, by the app behind.
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
        refusal = await self._security.validate_request(request)
        if refusal is None:
            caller = self._caller(request)
            if isinstance(caller, AuthFailure):
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

    def _caller(self, request: Request) -> tuple[str, str | None] | AuthFailure:
        caller = identify(request.headers, self._settings)
        if not callers_are_known(self._settings) and request.client and not is_loopback(request.client.host):
            # The app was bound to another address than the settings say, or a proxy hands strangers on.
            return AuthFailure(403, None, "Callers from other machines must be known: PARALLEL_MCP_ACCESS_TOKENS")
        return caller


def _refused(failure: AuthFailure) -> Response:
    """The refusal, with the challenge that MCP clients look for."""
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
