"""The SDK answers an invalid JSON-RPC body with pydantic's own message, which quotes the request (mcp 2.3)."""

from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class PlainErrors:
    """ASGI middleware: replaces pydantic's message with one sentence that quotes nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
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
    {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": "The body is not a JSON-RPC message"}},
    status_code=400,
)
