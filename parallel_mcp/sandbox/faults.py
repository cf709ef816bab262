"""Failures of real services, produced on the real socket. Each fault is an ASGI app that wraps the one it breaks."""

import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import anyio
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp.sandbox.options import Fault

SLOW_PIECES = 40
SLOW_PAUSE = 0.025  # seconds between pieces

_PAGE = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Draw:
    """Draws the fault for each request at random: the first in the list that comes up."""

    def __init__(self, faults: tuple[Fault, ...], seed: int | None) -> None:
        self._faults = faults
        self._dice = random.Random(seed)  # noqa: S311  no secret depends on it

    def next(self) -> str | None:
        """The kind of fault for the next request, or None."""
        hit = [fault.kind for fault in self._faults if self._dice.random() < fault.rate]
        return hit[0] if hit else None


def spoiled(kind: str, app: ASGIApp) -> ASGIApp:
    """The app, broken by one of `WIRE_KINDS`."""
    return _KINDS[kind](app)


def transport_of(scope: Scope) -> Any:
    """The connection's asyncio transport, or None if uvicorn does not serve the app."""
    return getattr(getattr(scope.get("sandbox.send"), "__self__", None), "transport", None)


async def hang(scope: Scope, receive: Receive, send: Send) -> None:
    """Never responds. Ends when the client leaves."""
    await anyio.sleep_forever()


async def reset(scope: Scope, receive: Receive, send: Send) -> None:
    """Resets the TCP connection before any byte of a response."""
    transport = transport_of(scope)
    if transport is None:
        raise ConnectionResetError("reset by the sandbox's fault")
    # A linger time of zero makes the kernel send RST instead of FIN.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await anyio.sleep_forever()


def cut(scope: Scope, send: Send) -> Send:
    """Closes the connection mid-body: after a few events of a stream, or halfway through a plain body."""
    seen = 0

    async def cutting(message: Message) -> None:
        nonlocal seen
        seen += message["type"] == "http.response.body"
        if message["type"] != "http.response.body" or (message.get("more_body", False) and seen < 3):
            await send(message)
            return
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _close(scope)

    return cutting


async def _close(scope: Scope) -> None:
    transport = transport_of(scope)
    if transport is None:
        raise ConnectionResetError("cut by the sandbox's fault")
    transport.close()
    await anyio.sleep_forever()


def bad_json(scope: Scope, send: Send) -> Send:
    """Truncates the JSON of a plain body, or of a stream's second event. The HTTP message itself is complete."""
    seen = 0

    async def breaking(message: Message) -> None:
        nonlocal seen
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() != b"content-length"]
            await send({**message, "headers": kept})
            return
        seen += 1
        body = message.get("body", b"")
        if seen == 1 and not message.get("more_body", False):
            body = body[: len(body) * 2 // 3]
        elif seen == 2:
            body = body[: len(body) * 2 // 3] + b"\n\n"
        await send({**message, "body": body})

    return breaking


def slow(scope: Scope, send: Send) -> Send:
    """Sends the body slowly, a few bytes at a time."""
    left = SLOW_PIECES

    async def dribbling(message: Message) -> None:
        nonlocal left
        if message["type"] != "http.response.body" or left <= 0:
            await send(message)
            return
        pieces = list(_pieces(message.get("body", b""), left if not message.get("more_body", False) else 4))
        left -= len(pieces)
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await anyio.sleep(SLOW_PAUSE)
        await send({**message, "body": pieces[-1] if pieces else b""})

    return dribbling


def _pieces(body: bytes, count: int) -> Iterator[bytes]:
    size = max(1, -(-len(body) // max(1, count)))
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _page(app: ASGIApp) -> ASGIApp:
    return HTMLResponse(_PAGE, status_code=502)


def _sending(change: Callable[[Scope, Send], Send]) -> Callable[[ASGIApp], ASGIApp]:
    def around(app: ASGIApp) -> ASGIApp:
        async def changed(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, change(scope, send))

        return changed

    return around


def _instead(endpoint: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Callable[[ASGIApp], ASGIApp]:
    return lambda app: endpoint


_KINDS: Mapping[str, Callable[[ASGIApp], ASGIApp]] = {
    "hang": _instead(hang),
    "reset": _instead(reset),
    "cut": _sending(cut),
    "bad-json": _sending(bad_json),
    "html": _page,
    "slow": _sending(slow),
}
