"""The server over a pair of pipes: both protocol eras on one pipe, and how it ends.

Behind a front, the end of the pipes means that the front is gone, and research runs in progress are finished.
Without a front, the pipes are the host's, and the process exits within a second of their end.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import anyio
from mcp.server.lowlevel.server import Server as LowLevelServer
from mcp.server.runner import serve_dual_era_loop, serve_loop
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest

from parallel_mcp import telemetry
from parallel_mcp.compat.lowlevel import lowlevel
from parallel_mcp.errors import ParallelError
from parallel_mcp.server import NAME, Server
from parallel_mcp.stdio.finishing import Finishing
from parallel_mcp.stdio.front import READY
from parallel_mcp.stdio.wire import Incoming, Item, Outgoing, open_wire
from parallel_mcp.tools import AppContext

logger = logging.getLogger(__name__)

LEAVE_SECONDS = 0.8
PARENT_SECONDS = 1.0
FLUSH_SECONDS = 0.2


async def serve(server: Server, waits: Path | None = None) -> None:
    """Serve the host directly until stdin ends, a signal arrives or the parent dies; then exit the process.

    Leases are released first. The process exits explicitly, because a thread that reads stdin cannot
    be cancelled, and hosts leave processes behind by the hundred.

    `waits` is the file that records how long hosts wait.
    """
    with open_wire(_leave_soon, owned=False) as (read, write):
        await _served(server, read, write, None, waits, parent=True)


async def serve_front(server: Server, finishing: Finishing | None, waits: Path | None = None) -> None:
    """Serve a front. When it is gone, finish research runs in progress if `finishing` is given, then exit."""
    with open_wire(_let_go_of_stderr if finishing is not None else _leave_soon, owned=True) as (read, write):
        params = {"version": version(NAME)}
        write.put(JSONRPCNotification(jsonrpc="2.0", method=READY, params=params))
        await _served(server, read, write, finishing, waits, parent=False)


async def _served(
    server: Server,
    read: Incoming,
    write: Outgoing,
    finishing: Finishing | None,
    waits: Path | None,
    *,
    parent: bool,
) -> None:
    # The SDK's own entry point decides the era on the first request and then refuses the other one.
    low: LowLevelServer[AppContext] = lowlevel(server)
    try:
        with anyio.CancelScope() as serving:
            async with _watched(serving, parent=parent), low.lifespan(low) as app:
                app.waits.keep_in(waits)
                await _serve_eras(low, app, read, write)
                if finishing is not None:
                    await finishing.finish(app.service)
                _leave_soon()
    except* ParallelError as failures:
        logger.error("%s", failures.exceptions[0])
        _leave(1)
    except* Exception:
        logger.exception("Serving failed unexpectedly")
        _leave(1)
    telemetry.flush()
    write.flush(FLUSH_SECONDS)
    _leave()


async def _serve_eras(low: LowLevelServer[AppContext], app: AppContext, read: Incoming, write: Outgoing) -> None:
    """Answer every leading `server/discover`, then serve whichever era the client continues with.

    Some hosts discover first and then initialize on the same pipe.
    """
    async for item in read:
        if _asks(item, "server/discover"):
            await _answer_once(low, app, item, write)
            continue
        read.put_back(item)
        # After a handshake the era is settled, and the SDK's loop for both eras would relay each message once more.
        serving = serve_loop if _asks(item, "initialize") else serve_dual_era_loop
        await serving(low, read, write, lifespan_state=app)
        return


def _asks(item: Item, method: str) -> bool:
    message = item.message if isinstance(item, SessionMessage) else None
    return isinstance(message, JSONRPCRequest) and message.method == method


async def _answer_once(low: LowLevelServer[AppContext], app: AppContext, item: Item, write: Outgoing) -> None:
    """Serve one request on a separate connection."""
    send, receive = anyio.create_memory_object_stream[Item](1)
    answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: serve_dual_era_loop(low, receive, answer, lifespan_state=app))
        await send.send(item)
        await write.send(await answered.receive())
        group.cancel_scope.cancel()
    for stream in (send, receive, answer, answered):
        stream.close()


@asynccontextmanager
async def _watched(serving: anyio.CancelScope, *, parent: bool) -> AsyncIterator[None]:
    """Stop serving on a signal or, if `parent`, when the process that started this one is gone."""
    async with anyio.create_task_group() as group:
        if sys.platform != "win32":
            group.start_soon(_on_signal, serving)
            if parent:
                group.start_soon(_on_orphaned, serving)
        yield
        group.cancel_scope.cancel()


async def _on_signal(serving: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            _leave_soon()
            serving.cancel()


async def _on_orphaned(serving: anyio.CancelScope) -> None:
    """A launcher killed with -9 may leave its end of the pipe open in another process."""
    parent = os.getppid()
    while os.getppid() == parent:
        await anyio.sleep(PARENT_SECONDS)
    logger.warning("The process that started this server is gone")
    _leave_soon()
    serving.cancel()


def _let_go_of_stderr() -> None:
    """Detach from stderr: nobody reads it once the front is gone."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for fd in (1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)


def _leave_soon() -> None:
    """Exit within a second, whatever else is still running."""
    timer = threading.Timer(LEAVE_SECONDS, _leave)
    timer.daemon = True
    timer.start()


def _leave(status: int = 0) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
