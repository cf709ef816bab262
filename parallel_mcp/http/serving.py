"""Serving the app until a signal comes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from sse_starlette.sse import AppStatus

from parallel_mcp.http.app import application
from parallel_mcp.http.connections import bounded, max_connections
from parallel_mcp.settings import Settings

SEND_BUFFER_BYTES = 128 * 1024


class _Service(uvicorn.Server):
    """uvicorn that reports when it listens, and exits with 0 after a signal instead of raising it again."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; a second one stops at once."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the address. Its connections inherit its options. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # A caller who reads nothing fills this and no more, after which the connection counts as waiting.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    # asyncio does this only for sockets that it made itself; without it, small responses wait 40 ms for the peer's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def run(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until a signal comes; `ready` gets the URL once it listens.

    Raises SettingsError, or OSError if the address cannot be bound.
    """
    # It would close streams of the legacy protocol at the signal, before their calls can finish.
    AppStatus.enable_automatic_graceful_drain = False
    config = uvicorn.Config(
        application(settings),
        log_config=None,
        access_log=False,
        ws="none",
        http=bounded(max_connections()),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    listener = listening(settings.host, settings.port)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}/mcp"
    _Service(config, lambda: ready(url)).run(sockets=[listener])
