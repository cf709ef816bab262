"""Serves a sandbox on a socket, in a process and event loop that are not its own."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

from parallel_mcp.sandbox.app import create_app
from parallel_mcp.sandbox.options import SandboxOptions


@asynccontextmanager
async def running(
    options: SandboxOptions | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Run a sandbox in this process and event loop. Yields its base URL.

    Raises OSError if the port is taken, and ValueError if other machines can reach the address and the options do not
    allow it.
    """
    check_host(options or SandboxOptions(), host)
    async with serving(create_app(options), host=host, port=port) as url:
        yield url


@asynccontextmanager
async def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve any app in this event loop. On exit, everything in flight is dropped.

    Installs no signal handlers and writes nothing to stdout, since the process is not its own.
    """
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none", backlog=2048
    )
    listener = _listen(host, port)
    # Not Server.serve(), which takes over the process's signals and checks only every 100 ms whether to stop.
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(server)


def check_host(options: SandboxOptions, host: str) -> None:
    """Raise ValueError if other machines can reach the address, unless the options allow it."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not (loopback or options.exposed):
        raise ValueError(f"Other machines can reach {host} and could read the corpus. Add --expose to allow that.")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # asyncio does this only for sockets that it made itself. Connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _stop(server: uvicorn.Server) -> None:
    """Drop every connection. The apps behind them see that their client left, and end."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    tasks = list(server.server_state.tasks)
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=2.0)
        for task in left:
            task.cancel()
