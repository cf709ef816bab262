"""Messages that real clients send and the SDK rejects or never answers (mcp 2.3).

- A lone surrogate, which many clients produce when they truncate text inside an emoji: rejected.
- A byte order mark before the message: rejected.
- A request with an id that cannot be answered: see ids.py.
"""

import re

from mcp_types import INVALID_REQUEST
from pydantic_core import from_json
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp.compat.ids import BAD_ID, has_bad_id

BOM = b"\xef\xbb\xbf"


def repaired(body: bytes) -> bytes:
    """The body without its byte order mark and lone surrogates; the length stays the same, as Content-Length says."""
    if body.startswith(BOM):
        body = b"   " + body[len(BOM) :]
    return _ESCAPES.sub(_replaced, body)


# A surrogate pair, a lone surrogate, or any other escape, which may be a backslash.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _replaced(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


class MessageRepair:
    """ASGI middleware: repairs what it can, and rejects a request whose id cannot be answered."""

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
        """The body in one message; reading stops once it is over the limit."""
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
    """`receive`, with one message pushed back."""
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


_REFUSAL = JSONResponse(
    {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": BAD_ID}}, status_code=400
)
