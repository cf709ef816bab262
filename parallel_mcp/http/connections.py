"""Connections that send nothing: each gets a deadline, and all together a bound below what the process may open."""

import asyncio
import logging
import sys
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""How long a connection may be silent before it has sent the head of a request."""
RESERVED_DESCRIPTORS = 256
"""Left for the store, the log and the requests to Parallel."""
LOG_SECONDS = 60.0
"""At most one line about refused connections in this time."""


def max_connections() -> int:
    """How many connections may be open at once: half of what the process may open, less a reserve.

    Each call that works has a second descriptor, to Parallel. The soft limit is raised to the hard one first.
    """
    if sys.platform == "win32":
        return 4096
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        except (OSError, ValueError):
            pass
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max((soft - RESERVED_DESCRIPTORS) // 2, 16)


def bounded(limit: int) -> type[H11Protocol]:
    """Uvicorn's protocol with at most `limit` connections, none of which may be silent for `HEADER_SECONDS`.

    A new connection takes the place of the one that has been silent longest. It is closed itself only where
    every other one has a request under way.
    """
    silent: dict[H11Protocol, None] = {}
    log = _Seldom()

    class BoundedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limit:
                if log.may():
                    logger.warning("%d connections are open, as many as may be: silent ones are closed", limit)
                oldest = next(iter(silent), self)
                silent.pop(oldest, None)
                oldest.transport.abort()
                if oldest is self:
                    return
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle is None or self.cycle.response_complete:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._stop_waiting()
            silent[self] = None
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

        def _stop_waiting(self) -> None:
            silent.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return BoundedProtocol


class _Seldom:
    """Lets a log line through at most once in `LOG_SECONDS`."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def may(self) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if now - self._last < LOG_SECONDS:
            return False
        self._last = now
        return True


class CalmAccept(logging.Filter):
    """At most one line a minute of asyncio's about connections that it could not accept."""

    def __init__(self) -> None:
        super().__init__()
        self._seldom = _Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line may stand."""
        return "accept" not in str(record.msg) or self._seldom.may()
