"""Limits on idle connections: a deadline for each, and a maximum number below the file descriptor limit."""

import asyncio
import logging
import sys
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""How long a connection may take to send the headers of a request."""
RESERVED_DESCRIPTORS = 256
"""File descriptors reserved for the store, the log and requests to Parallel."""


def max_connections() -> int:
    """The maximum number of open connections: half the file descriptor limit, less a reserve.

    Half, because each call in progress needs a second descriptor for Parallel. Raises the soft limit to the hard one.
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
    """Uvicorn's protocol with at most `limit` connections and a deadline of `HEADER_SECONDS` for headers.

    At the limit, a new connection replaces the one that has been idle longest. It is itself closed only if
    all others have a request in progress.
    """
    silent: dict[H11Protocol, None] = {}

    class BoundedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limit:
                logger.warning("The limit of %d open connections is reached: idle ones are being closed", limit)
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
