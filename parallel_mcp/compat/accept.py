"""The SDK answers 406 to clients whose Accept header does not list both media types (mcp 2.3).

The specification asks clients for both, but many send no Accept header or only one type. A client that
accepts only JSON gets the final response as JSON, without progress notifications.
"""

import json
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


class AcceptEither:
    """ASGI middleware: serves a POST with any Accept header, and a GET with none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = Headers(scope=scope).get("accept", "").lower()
        wildcard = not accepted.strip() or "*/*" in accepted
        takes_stream = wildcard or EVENT_STREAM in accepted or "text/*" in accepted
        scope = {**scope, "headers": list(scope["headers"])}
        if scope["method"] == "POST":
            MutableHeaders(scope=scope)["accept"] = f"{JSON}, {EVENT_STREAM}"
        elif wildcard:
            MutableHeaders(scope=scope)["accept"] = EVENT_STREAM
        plain = scope["method"] == "POST" and not takes_stream
        await self._app(scope, receive, _Collapsed(send).send if plain else send)


class _Collapsed:
    """Buffers an event stream and sends only its final response, as plain JSON."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._events = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith(EVENT_STREAM):
                self._start = message
                return
        elif self._start is not None:
            self._events += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        await self._send(message)

    async def _finish(self, start: Message) -> None:
        body = _response_in(self._events)
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-type"] = JSON
        headers["content-length"] = str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _response_in(events: bytes) -> bytes:
    """The last JSON-RPC response in a stream, or empty bytes if there is none."""
    found = b""
    for event in events.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if data and _is_response(data):
            found = data
    return found


def _is_response(data: bytes) -> bool:
    message: Any = json.loads(data)
    return isinstance(message, dict) and ("result" in message or "error" in message)
