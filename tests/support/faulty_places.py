"""The upstream side of the fault tests: one server that produces the fault that a question names."""

import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import SocketStream

from tests.support.faults import BY_NAME, Place, answer_well
from tests.support.upstream import Peer, RawUpstream, raw_upstream, self_made_tls


async def by_question(peer: Peer) -> None:
    """Produce the fault named in the question's last brackets, or answer normally if there is none."""
    name = peer.received.question.rpartition("[")[2].removesuffix("]")
    fault = BY_NAME.get(name)
    await (fault.produce if fault is not None else answer_well)(peer)


@asynccontextmanager
async def places(folder: Path) -> AsyncIterator[tuple[dict[Place, str], RawUpstream]]:
    """A URL for each place, and the server that answers."""
    async with AsyncExitStack() as stack:
        answering = await stack.enter_async_context(raw_upstream(by_question))
        failure = await stack.enter_async_context(raw_upstream(by_question, self_made_tls(folder)))
        no_tls = await stack.enter_async_context(_talking(b"220 hello\r\n"))
        mute = await stack.enter_async_context(_talking(b""))
        with socket.socket() as unused:
            # Bound but not listening: connections are refused, and nobody else gets the port.
            unused.bind(("127.0.0.1", 0))
            urls: dict[Place, str] = {
                "answering": answering.url,
                "refused": f"http://127.0.0.1:{unused.getsockname()[1]}",
                "unnamed": "http://no-such-host.invalid",
                "stranger": failure.url,
                "no tls": f"https://127.0.0.1:{no_tls}",
                "mute tls": f"https://127.0.0.1:{mute}",
            }
            yield urls, answering


@asynccontextmanager
async def _talking(greeting: bytes) -> AsyncIterator[int]:
    """A server that sends one thing and then waits. Yields its port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)

    async def serve(stream: SocketStream) -> None:
        async with stream:
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                if greeting:
                    await stream.send(greeting)
                while True:
                    await stream.receive()

    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()
    await listener.aclose()
