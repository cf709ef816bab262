"""Messages that clients really send and the SDK drops, refuses or leaves unanswered (mcp 2.3).

- Half a surrogate pair, which many clients write where they cut a text inside an emoji: refused.
- A byte order mark before the message: refused.
- A request whose id is null, a fraction or a boolean: taken for a notification, so that nobody answers.
"""

import re
from typing import Any

from mcp_types import INVALID_REQUEST
from pydantic_core import from_json
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOM = b"\xef\xbb\xbf"

BAD_ID = "The id of a request must be a string or a whole number"


def has_bad_id(message: Any) -> bool:
    """Whether this is a request that could not be answered, because of its id."""
    if not isinstance(message, dict) or "method" not in message or "id" not in message:
        return False
    return isinstance(message["id"], bool) or not isinstance(message["id"], str | int)


def repaired(body: bytes) -> bytes:
    """The body without byte order mark and half surrogate pairs, as long as it was: its length has been announced."""
    if body.startswith(BOM):
        body = b"   " + body[len(BOM) :]
    return _ESCAPES.sub(_replaced, body)


# A whole pair, a half, and any other escape, which may be a backslash.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _replaced(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


class MessageRepair:
    """ASGI middleware: repairs what can be repaired, and refuses a request whose id cannot be answered."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await self._whole(receive)
        if message["type"] == "http.request" and not message.get("more_body", False):
            message = {**message, "body": repaired(message["body"])}
            if _is_unanswerable(message["body"]):
                await _REFUSAL(scope, receive, send)
                return
        await self._app(scope, _first(message, receive), send)

    async def _whole(self, receive: Receive) -> Message:
        """The body in one message, or as much of it as shows that it is too long."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False) or size > self._max_bytes:
                return {**message, "body": b"".join(parts)}


def _is_unanswerable(body: bytes) -> bool:
    try:
        return has_bad_id(from_json(body))
    except ValueError:
        return False


def _first(message: Message, receive: Receive) -> Receive:
    """`receive`, with a message that has been taken from it put back in front."""
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


_REFUSAL = JSONResponse(
    {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": BAD_ID}}, status_code=400
)
