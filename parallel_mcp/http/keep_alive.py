"""Comment lines in event streams, so that proxies do not close a long call as idle."""

from typing import Literal

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVENT_STREAM = "text/event-stream"

STREAM_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class KeepAliveMiddleware:
    """ASGI middleware: an event stream is never silent for more than `seconds`.

    Proxies close a connection after about a minute of silence, and a caller without a progress token gets no events.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or EVENT_STREAM not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        response = KeepAlive(receive, send, self._seconds)
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(response.beat)
            try:
                await self._app(scope, response.receive, response.send)
            except Exception as error:
                # Raised outside the group, which would wrap it.
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class KeepAlive:
    """One response, with comment lines between its events when nothing else is sent.

    The SDK delays the headers of a 2026-07-28 response until there is an event, because it may still become
    plain JSON with its own status. After a heartbeat the headers have been sent here, and JSON becomes an event.
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
        """The app's next message. The clock starts when the whole request has arrived."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._asked.set()
        return message

    async def beat(self) -> None:
        """Send a comment whenever nothing has been sent for `seconds`."""
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
        """Send a message from the app. Each body is a whole event, so a comment may follow it."""
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
