"""Sends Unicode line separators as escapes, in JSON and in events."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp.text import escaped_separators

_JSON = ("application/json", "text/event-stream")


class EscapeSeparators:
    """ASGI middleware: see `escaped_separators`. Each body is a whole event or a whole response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._app(scope, receive, _Escaped(send).send if scope["type"] == "http" else send)


class _Escaped:
    """One response. Its start waits for the first body, whose length may change."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._is_json = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self._is_json = headers.get("content-type", "").startswith(_JSON)
            if self._is_json and "content-length" in headers:
                self._start = message
                return
        elif self._is_json and message["type"] == "http.response.body":
            message = {**message, "body": escaped_separators(message.get("body", b""))}
            await self._begin(len(message["body"]))
        await self._send(message)

    async def _begin(self, length: int) -> None:
        if self._start is not None:
            headers = MutableHeaders(raw=list(self._start["headers"]))
            headers["content-length"] = str(length)
            await self._send({**self._start, "headers": headers.raw})
            self._start = None
