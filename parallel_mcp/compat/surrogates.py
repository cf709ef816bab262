"""The SDK refuses a request over half a surrogate pair (mcp 2.3)."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SurrogateRepair:
    """ASGI middleware: writes a replacement character for half a surrogate pair, over which the SDK refuses a request.

    Many clients write one where they cut a text in the midst of an emoji.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def whole() -> Message:
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body", False) or len(body) > self._max_bytes:
                    break
            return {**message, "body": _ESCAPES.sub(_replaced, body)} if message["type"] == "http.request" else message

        await self._app(scope, whole if scope["type"] == "http" else receive, send)


# A whole pair, a half, and any other escape, which may be a backslash.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _replaced(escape: re.Match[bytes]) -> bytes:
    """As long as it was, so that the length that was announced is right."""
    return rb"\ufffd" if escape[1] else escape[0]
