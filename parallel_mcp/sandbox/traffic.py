"""Incoming requests: the limit per key, their counters, and clients that leave."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parallel_mcp.sandbox.wire import Refusal

BODY_BYTES = 10_000_000
KEPT_KEYS = 10_000


class RateWindow:
    """Allows at most `limit` requests per key in any 60 seconds. 0 means no limit."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Count a request. Returns False if the key has used up its limit; such a request does not count."""
        if not self._limit:
            return True
        now = self._clock()
        seen = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > KEPT_KEYS:
            self._seen.popitem(last=False)
        while seen and seen[0] <= now - 60.0:
            seen.popleft()
        if len(seen) >= self._limit:
            return False
        seen.append(now)
        return True


@dataclass(slots=True)
class Traffic:
    """Counts a sandbox's requests, and lets tests wait for them."""

    requests: int = 0  # received
    active: int = 0  # being worked on
    abandoned: int = 0  # whose client left before the answer was complete
    _changed: anyio.Event | None = None

    def note(self, **changes: int) -> None:
        """Add to the counters and wake those who wait for them."""
        for name, by in changes.items():
            setattr(self, name, getattr(self, name) + by)
        if self._changed:
            self._changed.set()
            self._changed = None

    async def until(self, holds: "Callable[[Traffic], bool]") -> None:
        """Wait until the counters satisfy a condition."""
        while not holds(self):
            self._changed = self._changed or anyio.Event()
            await self._changed.wait()


class Gone(Exception):
    """The client left."""


async def read_body(request: Request) -> bytes:
    """The request's body. Raises Refusal (413) beyond BODY_BYTES, and Gone if the client leaves before its end."""
    pieces = bytearray()
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Gone
        size += len(message.get("body", b""))
        # A client reads the refusal only after it has sent its body, so read the body, up to a point, and drop it.
        if size > 10 * BODY_BYTES:
            break
        if size <= BODY_BYTES:
            pieces += message.get("body", b"")
        more = message.get("more_body", False)
    if size > BODY_BYTES:
        raise Refusal(413, f"The request body is over {BODY_BYTES:,} bytes.")
    return bytes(pieces)


def until_gone(app: ASGIApp, traffic: Traffic) -> ASGIApp:
    """The app, cancelled as soon as its client leaves."""

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def watch() -> None:
            message: Message = {"type": ""}
            while message["type"] != "http.disconnect":
                message = await receive()
            if not whole:
                traffic.note(abandoned=1)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                await app(scope, receive, send)
            except OSError:
                await anyio.sleep_forever()  # the socket is gone, and the watcher is about to notice
            whole = True
            group.cancel_scope.cancel()

    return watched
