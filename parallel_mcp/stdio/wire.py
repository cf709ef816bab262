"""The engine's descriptors 0 and 1 as the SDK's streams.

A front's pipes are read and written on the event loop, which saves a tenth of a call's CPU. A host's own descriptors
must stay blocking, so each of them has a thread.

This replaces the SDK's `stdio_server`, which passes every line between threads three times, treats the end of its
reader as a failure, and drops unreadable lines, so that their sender would wait forever (mcp 2.3).
"""

import asyncio
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from parallel_mcp.compat.ids import BAD_ID, has_bad_id
from parallel_mcp.stdio import pipes
from parallel_mcp.text import escaped_separators

MAX_DIGITS = 4300

Item = SessionMessage | Exception


class Outgoing:
    """Outgoing messages, in order. Sending never waits for a slow reader."""

    def __init__(self, writer: pipes.Writer) -> None:
        self._writer = writer

    async def send(self, item: SessionMessage, /) -> None:
        """Queue a message to be written."""
        self.put(item.message)

    def put(self, message: JSONRPCMessage) -> None:
        """The same, without awaiting."""
        self._writer.put(encoded(message))

    def flush(self, seconds: float) -> None:
        """Block until everything is written, for at most `seconds`."""
        self._writer.flush(seconds)

    async def aclose(self) -> None:
        """Do nothing: the wire ends with the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Incoming:
    """Incoming messages, in order."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._news = anyio.Event()
        self._ended = False

    def put(self, item: Item) -> None:
        """Add an item."""
        self._items.append(item)
        self._news.set()

    def put_back(self, item: Item) -> None:
        """Put an item back in front of all others."""
        self._items.appendleft(item)
        self._news.set()

    def end(self) -> None:
        """End the stream after the items in it."""
        self._ended = True
        self._news.set()

    async def receive(self) -> Item:
        """Return the next item. Raises anyio.EndOfStream after the last."""
        while not self._items:
            if self._ended:
                raise anyio.EndOfStream
            self._news = anyio.Event()
            await self._news.wait()
        return self._items.popleft()

    async def aclose(self) -> None:
        """Do nothing: the wire ends with the process."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


@contextmanager
def open_wire(on_end: Callable[[], None], *, owned: bool) -> Iterator[tuple[Incoming, Outgoing]]:
    """Open the stream of incoming messages and the outgoing one. `on_end` is called when either has ended.

    `owned` pipes are a front's, which no other process reads or writes. In the block, descriptor 0 is empty and 1 is
    stderr, so that nothing else reads from the host or writes to it.
    """
    loop = asyncio.get_running_loop()
    incoming = Incoming()

    def end() -> None:
        on_end()
        incoming.end()

    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2 if _is_open(2) else nothing, 1)
    os.close(nothing)
    outgoing = Outgoing(pipes.Writer(stdout, eager=owned, broken=lambda: _later(loop, end)))

    def take(batch: list[bytes]) -> None:
        for line in batch:
            _take(line, incoming, outgoing)

    def read() -> None:
        for batch in pipes.lines(stdin):
            _later(loop, take, batch)
        _later(loop, end)

    cut = pipes.Lines()

    def read_now() -> None:
        data = pipes.read(stdin)
        take(cut.feed(data) if data else cut.end())
        if not data:
            loop.remove_reader(stdin)
            end()

    if owned and os.name == "posix":
        loop.add_reader(stdin, read_now)
    else:
        threading.Thread(target=read, daemon=True).start()
    yield incoming, outgoing


def encoded(message: JSONRPCMessage) -> bytes:
    """A message as a line, which no client can mistake for several."""
    return escaped_separators(message.model_dump_json(by_alias=True, exclude_unset=True).encode()) + b"\n"


def _later(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:
        """The loop is closed, and the process is about to exit."""


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _take(line: bytes, incoming: Incoming, outgoing: Outgoing) -> None:
    """Pass a message on, or answer a line that is not one."""
    text = line.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        message: JSONRPCMessage | None = jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError as error:
        message = _read_again(error)
        if isinstance(message, JSONRPCError):
            outgoing.put(message)
            return
    if isinstance(message, JSONRPCNotification) and not message.method.startswith("notifications/"):
        whole = _object(text)
        if has_bad_id(whole):
            outgoing.put(_invalid(whole, BAD_ID))
            return
    if message is not None:
        incoming.put(SessionMessage(message))


def _object(text: str) -> dict[str, object]:
    """The line's JSON object. The SDK's parser accepts numbers of any length, and nests deeper."""
    try:
        return dict(json.loads(text, parse_int=_number))
    except (ValueError, RecursionError):
        return {}


def _read_again(error: ValidationError) -> JSONRPCMessage | None:
    """The message read leniently, the error that answers it, or None if nobody waits for an answer.

    Half a surrogate pair, which many clients write when they cut a text in the middle of an emoji, becomes a
    replacement character.
    """
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
    """A number that Python can print again; one with too many digits for that becomes infinite."""
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


def _answer_to_no_message(whole: object) -> JSONRPCError | None:
    """An error for a line that is not a message; None for a response, since nobody waits for an answer to it."""
    given = whole if isinstance(whole, dict) else {}
    if "method" not in given and ("result" in given or "error" in given):
        return None
    return _invalid(given, "This line is not a JSON-RPC message")


def _invalid(given: Mapping[str, object], text: str) -> JSONRPCError:
    number = given.get("id")
    return JSONRPCError(
        jsonrpc="2.0",
        id=number if isinstance(number, str | int) and not isinstance(number, bool) else None,
        error=ErrorData(code=INVALID_REQUEST, message=text),
    )
