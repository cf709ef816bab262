"""The server over a pair of pipes: both eras on one pipe, and a quick end."""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.lowlevel.server import Server as LowLevelServer
from mcp.server.runner import serve_dual_era_loop
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from parallel_mcp import telemetry
from parallel_mcp.errors import ParallelError
from parallel_mcp.server import Server
from parallel_mcp.tools import AppContext

logger = logging.getLogger(__name__)

LEAVE_SECONDS = 0.8
PARENT_SECONDS = 1.0
MAX_DIGITS = 4300

_Item = SessionMessage | Exception


async def serve(server: Server) -> None:
    """Serve stdin and stdout until stdin ends, a signal comes or the parent dies; then end the process.

    Leases are given back first. The process ends itself, because a thread that reads stdin cannot
    be cancelled, and hosts leave processes behind by the hundred.
    """
    # The SDK's own entry decides the era at the first request and then refuses the other one.
    low: LowLevelServer[AppContext] = server._lowlevel_server
    async with stdio_server() as (read, write):
        try:
            with anyio.CancelScope() as serving:
                async with _watched(serving), low.lifespan(low) as app:
                    await _serve_eras(low, app, _readable(read, write), write)
                    _leave_soon()
        except* ParallelError as failures:
            logger.error("%s", failures.exceptions[0])
            _leave(1)
        except* Exception:
            logger.exception("Serving failed in a way that nobody foresaw")
            _leave(1)
        telemetry.flush()
        _leave()


async def _readable(read: ReadStream[_Item], write: WriteStream[SessionMessage]) -> AsyncIterator[_Item]:
    """What comes in. The SDK drops a line that it cannot read, and whoever wrote it would wait for ever.

    Half a surrogate pair, which is what many clients write where they cut a text in the midst of an emoji,
    becomes a replacement character; what is no message at all is answered with an error.
    """
    async for item in read:
        if not isinstance(item, ValidationError):
            yield item
            continue
        message = _read_again(item)
        if isinstance(message, JSONRPCError):
            await write.send(SessionMessage(message))
        elif message is not None:
            yield SessionMessage(message)


def _read_again(error: ValidationError) -> JSONRPCMessage | None:
    """The message that could not be read, or the error that answers it, or None where nobody waits for one."""
    failures = error.errors(include_url=False, include_context=False)
    try:
        if failures[0]["type"] != "json_invalid":
            return _answer_to_no_message(failures[-1]["input"])
        if not failures[0]["input"].strip():
            return None
        text = json.dumps(json.loads(failures[0]["input"], parse_int=_number), ensure_ascii=False)
        whole = json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    except (ValueError, RecursionError):
        return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=PARSE_ERROR, message="This line is not JSON"))
    try:
        return jsonrpc_message_adapter.validate_python(whole, by_name=False)
    except ValidationError:
        return _answer_to_no_message(whole)


def _number(digits: str) -> int | float:
    """One that Python can print again, which says it is infinite where it is too long for that."""
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


def _answer_to_no_message(whole: object) -> JSONRPCError | None:
    given = whole if isinstance(whole, dict) else {}
    if "method" not in given and ("result" in given or "error" in given):
        return None
    number = given.get("id")
    return JSONRPCError(
        jsonrpc="2.0",
        id=number if isinstance(number, str | int) and not isinstance(number, bool) else None,
        error=ErrorData(code=INVALID_REQUEST, message="This is no JSON-RPC message"),
    )


async def _serve_eras(
    low: LowLevelServer[AppContext], app: AppContext, read: AsyncIterator[_Item], write: WriteStream[SessionMessage]
) -> None:
    """Answer every leading `server/discover`, then serve whichever era the client goes on with.

    Some hosts discover first and then shake hands on the same pipe.
    """
    item: _Item | None = None
    async for item in read:
        if not _is_discovery(item):
            break
        await _answer_once(low, app, item, write)
    else:
        return
    send, replayed = anyio.create_memory_object_stream[_Item]()
    async with anyio.create_task_group() as relaying:
        relaying.start_soon(_relay, item, read, send)
        await serve_dual_era_loop(low, replayed, write, lifespan_state=app)
        relaying.cancel_scope.cancel()


def _is_discovery(item: _Item) -> bool:
    message = item.message if isinstance(item, SessionMessage) else None
    return isinstance(message, JSONRPCRequest) and message.method == "server/discover"


async def _answer_once(
    low: LowLevelServer[AppContext], app: AppContext, item: _Item, write: WriteStream[SessionMessage]
) -> None:
    """Serve one request on a connection of its own."""
    send, receive = anyio.create_memory_object_stream[_Item](1)
    answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: serve_dual_era_loop(low, receive, answer, lifespan_state=app))
        await send.send(item)
        await write.send(await answered.receive())
        group.cancel_scope.cancel()
    for stream in (send, receive, answer, answered):
        stream.close()


async def _relay(first: _Item | None, read: AsyncIterator[_Item], send: MemoryObjectSendStream[_Item]) -> None:
    async with send:
        if first is not None:
            await send.send(first)
        async for item in read:
            await send.send(item)
    _leave_soon()


@asynccontextmanager
async def _watched(serving: anyio.CancelScope) -> AsyncIterator[None]:
    """Stop serving when a signal comes, or when the process that started us is gone."""
    async with anyio.create_task_group() as group:
        if sys.platform != "win32":
            group.start_soon(_on_signal, serving)
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


def _leave_soon() -> None:
    """End the process within a second, whatever may hold it."""
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
