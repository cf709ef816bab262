"""The cost of an agent's bad day: python -m benchmarks.beside.money [--only NAME ...] [--seconds 3] [--write PAGE]

The same trace is played to every server over stdio, with its research tool (or its answering one if it has no other):
a host that gives up and asks again, asks twice at the same time, asks again what it was just told, dies, and is killed
with its whole process group, each while a question is in flight that is then asked again of a new process. Counts the
requests that reached the upstream per answered question, of which 1.0 is the minimum. The exit status is 1 if this
server needs more.

The host's own death is a SIGKILL to the process it started, and the group's is one to its group. Killing all processes
of a server is not in the trace but a row of its own, because nothing can survive that.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.beside import page, table
from benchmarks.beside.__main__ import Stub, upstream
from benchmarks.beside.connection import Failed, Pipes, Running, judge, processes, running
from benchmarks.beside.measures import question
from benchmarks.beside.table import Server

PATIENCE = 60.0
"""Seconds until an agent stops asking for one answer."""


@dataclass
class Host:
    """One agent's host: it restarts a server that died, on a store that stays."""

    server: Server
    stub: Stub
    folder: str
    here: Running | None = None
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> Running:
        """The server, started if necessary."""
        if self.here is None:
            self.here = await self._opened.enter_async_context(
                running(self.server, "stdio", self.stub.url, self.folder)
            )
        return self.here

    async def stop(self) -> None:
        """End it and all that is left of it."""
        await self._opened.aclose()
        self.here = None

    async def answer(self, asked: str) -> None:
        """Ask until it is answered, like a model that is told to call again. Raises Failed or TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self.call(asked)
                if b'"status":"working"' not in line.replace(b" ", b""):
                    return judge(line, asked)

    async def call(self, asked: str) -> bytes:
        """One call, and its response as received."""
        here = await self.start()
        return await here.channel.request("tools/call", _tool(self.server).call(asked))

    async def under_way(self, asked: str) -> tuple["asyncio.Future[bytes]", int]:
        """A call whose request has reached the upstream: its future response, and its id."""
        here = await self.start()
        assert isinstance(here.channel, Pipes)
        sent = here.channel.send("tools/call", _tool(self.server).call(asked))
        async with asyncio.timeout(PATIENCE):
            while not await self.stub.count(asked):
                await asyncio.sleep(0.02)
        return sent


def _tool(server: Server) -> table.Tool:
    tool = server.research or server.answer
    assert tool is not None
    return tool


async def plainly(host: Host, asked: str) -> None:
    """Ask a question and get its answer."""
    await host.answer(asked)


async def twice_at_once(host: Host, asked: str) -> None:
    """An agent and its sub-agent ask the same question."""
    await host.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(host.answer(asked))
        group.create_task(host.answer(asked))


async def once_more(host: Host, asked: str) -> None:
    """The model asks again what it was just told."""
    await host.answer(asked)
    await host.answer(asked)


async def timed_out(host: Host, asked: str) -> None:
    """The host cancels the call at its limit, and the model tries again."""
    _, number = await host.under_way(asked)
    assert host.here is not None
    await host.here.channel.notify("notifications/cancelled", {"requestId": number, "reason": "timed out"})
    await host.answer(asked)


async def host_killed(host: Host, asked: str) -> None:
    """The process that the host started is killed, and the next session asks again."""
    await host.under_way(asked)
    assert host.here is not None
    host.here.process.kill()
    await _again(host, asked)


async def group_killed(host: Host, asked: str) -> None:
    """The same with the whole process group."""
    await host.under_way(asked)
    assert host.here is not None
    os.killpg(host.here.process.pid, signal.SIGKILL)
    await _again(host, asked)


async def everything_killed(host: Host, asked: str) -> None:
    """Every process of the server is killed, as with a container."""
    await host.under_way(asked)
    assert host.here is not None
    for pid in processes(host.here.mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await _again(host, asked)


async def _again(host: Host, asked: str) -> None:
    """A new process of the server answers. What the old one left behind is not touched before that."""
    left, host.here, host._opened = host._opened, None, AsyncExitStack()
    try:
        await host.answer(asked)
    finally:
        await left.aclose()


Event = Callable[[Host, str], Awaitable[None]]
TRACE: tuple[Event, ...] = (plainly, twice_at_once, once_more, timed_out, host_killed, group_killed)
APART: tuple[Event, ...] = (everything_killed,)


@dataclass
class Bill:
    """Requests and answers, by event."""

    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def price(self, events: tuple[Event, ...]) -> float | None:
        """Requests per answer, or None if there was no answer."""
        names = [event.__name__ for event in events]
        answers = sum(self.answers[name] for name in names)
        return sum(self.requests[name] for name in names) / answers if answers else None


async def _play(server: Server, event: Event, stub: Stub, bill: Bill) -> None:
    asked = question()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        host = Host(server, stub, folder)
        try:
            await event(host, asked)
            bill.answers[event.__name__] += 1
        except (Failed, TimeoutError) as failure:
            print(f"{server.name}, {event.__name__}: {str(failure)[:200]}", file=sys.stderr, flush=True)
        finally:
            await host.stop()
    bill.requests[event.__name__] += await stub.count(asked)


async def played(servers: list[Server], seconds: float, days: int) -> dict[str, Bill]:
    """The cost of each server's day."""
    bills = {server.name: Bill() for server in servers}
    async with upstream() as stub:
        for server in servers:
            server.prepare(stub.url)
        await stub.takes(seconds)
        try:
            for _ in range(days):
                for event in TRACE + APART:
                    async with asyncio.TaskGroup() as group:
                        for server in servers:
                            group.create_task(_play(server, event, stub, bills[server.name]))
        finally:
            for server in servers:
                server.clean(stub.url)
    return bills


def _cell(price: float | None) -> str:
    return "no answer" if price is None else f"{price:.1f}"


def shown(bills: dict[str, Bill], servers: list[Server]) -> str:
    """Markdown."""
    lines = ["| upstream requests per answer | " + " | ".join(server.title for server in servers) + " |"]
    lines.append("|---" * (len(servers) + 1) + "|")
    for label, events in [
        *((event.__name__.replace("_", " "), (event,)) for event in TRACE),
        ("**the whole trace**", TRACE),
        *((f"apart: {event.__name__.replace('_', ' ')}", (event,)) for event in APART),
    ]:
        lines.append(f"| {label} | " + " | ".join(_cell(bills[server.name].price(events)) for server in servers) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    given = parser.parse_args()
    servers = [server for name, server in table.read().items() if not given.only or name in given.only]
    bills = asyncio.run(played(servers, given.seconds, given.days))
    text = page.circumstances(servers, "benchmarks.beside.money") + "\n\n" + shown(bills, servers)
    print(text)
    if given.write:
        page.write(given.write, "money", text)
    price = bills["ours"].price(TRACE) if "ours" in bills else 1.0
    sys.exit(0 if price == 1.0 else 1)


if __name__ == "__main__":
    main()
