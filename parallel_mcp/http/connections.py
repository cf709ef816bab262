"""Limits on connections that wait for their peer: a deadline, and a maximum number below the descriptor limit."""

import asyncio
import logging
import sys
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""How long a connection may take to send the headers of a request."""
TRANSFER_SECONDS = 30.0
"""How long a peer may take to send a request's body, or to read what fills the buffers."""
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
    """Uvicorn's protocol with at most `limit` connections, none of which waits for its peer forever.

    At the limit, a new connection replaces the one that has been waiting longest. It is itself closed only if all
    others are being worked for.
    """
    waiting: dict[H11Protocol, None] = {}

    class BoundedProtocol(H11Protocol):
        _waits_for: tuple[float, object] | None = None
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limit:
                logger.warning("The limit of %d open connections is reached: idle ones are being closed", limit)
                oldest = next(iter(waiting), self)
                waiting.pop(oldest, None)
                # Otherwise it counts until the next iteration of the loop.
                self.connections.discard(oldest)
                oldest.transport.abort()
                if oldest is self:
                    return
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._look()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._wait(None)

        def _look(self) -> None:
            """Set whose turn it is: the peer's, within a number of seconds, or the server's."""
            if self.cycle is None or self.cycle.response_complete:
                self._wait((HEADER_SECONDS, self.cycle))
            elif self.cycle.more_body or self.flow.write_paused:
                self._wait((TRANSFER_SECONDS, self.cycle))
            else:
                self._wait(None)

        def _wait(self, what: tuple[float, object] | None) -> None:
            # The same wait continues: an occasional byte is not a reason to extend it.
            if what == self._waits_for:
                return
            self._waits_for = what
            waiting.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
            if what is not None:
                waiting[self] = None
                self._deadline = self.loop.call_later(what[0], self.transport.abort)

    return BoundedProtocol
