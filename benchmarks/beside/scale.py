"""Whether one HTTP process stays small: python -m benchmarks.beside.scale [--write PAGE]

Two trials of `parallel-mcp http` on SQLite, against the stub. First, many runs at once, each with a call that waits for
it: the process's memory, and how much of a core it uses while nothing arrives. Then calls one after the other, and
sessions with a new connection, a handshake, a list and a call each: memory after the first tenth of them, when
everything has been loaded, and at the end. The exit status is 1 if a figure is over its bound.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.beside import page, table
from benchmarks.beside.__main__ import Stub, upstream
from benchmarks.beside.connection import Posts, Running, running, shake_hands
from benchmarks.beside.measures import all_of, question
from benchmarks.beside.table import HERE, Server

MOST_MB, MOST_OF_A_CORE, MOST_GROWTH = 200.0, 0.05, 0.05
LONG_SECONDS = 3600.0


async def _waiting(server: Server, stub: Stub, runs: int, seconds: float) -> list[str]:
    """A line per figure. Those over their bound say so."""
    await stub.takes(LONG_SECONDS)
    tool = server.tool("research")
    assert tool is not None
    with tempfile.TemporaryDirectory() as folder:
        async with running(server, "http", stub.url, folder) as here:
            calls = [
                asyncio.create_task(here.channel.request("tools/call", tool.call(question()))) for _ in range(runs)
            ]
            while await _working(here) < runs:
                await asyncio.sleep(0.5)
            # The burst itself is not measured here.
            await asyncio.sleep(5)
            cpu = here.cpu_seconds()
            await asyncio.sleep(seconds)
            share, memory = (here.cpu_seconds() - cpu) / seconds, here.memory_mb()
            still = sum(not call.done() for call in calls)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
    await stub.takes(0)
    return [
        f"| calls that wait, of {runs:,} | {still:,} | {runs:,}{_over(still < runs)} |",
        f"| MB with all of them waiting | {memory:.0f} | {MOST_MB:.0f}{_over(memory > MOST_MB)} |",
        f"| of a core meanwhile, % | {share * 100:.1f} | {MOST_OF_A_CORE * 100:.0f}{_over(share > MOST_OF_A_CORE)} |",
    ]


async def _working(here: Running) -> int:
    """The number of the caller's runs in flight, counted page by page from the history."""
    before, count = "", 0
    while True:
        line = await here.channel.request("resources/read", {"uri": f"research://{before}"})
        rows = json.loads(json.loads(line)["result"]["contents"][0]["text"])["research"]
        count += len([row for row in rows if row["status"] == "working"])
        if not rows:
            return count
        before = f"?before={rows[-1]['research_id']}"


async def _long(server: Server, stub: Stub, calls: int, sessions: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(server, "http", stub.url, folder) as here:
            await _call(here, calls // 10)
            await _meet(here, sessions // 10)
            warm = here.memory_mb()
            await _call(here, calls - calls // 10)
            after_calls = here.memory_mb()
            await _meet(here, sessions - sessions // 10)
            end = here.memory_mb()
    over = _over(end > warm * (1 + MOST_GROWTH))
    return [
        f"| MB after a tenth of {calls:,} calls and {sessions:,} sessions | {warm:.1f} | |",
        f"| MB after all calls | {after_calls:.1f} | {warm * (1 + MOST_GROWTH):.1f} |",
        f"| MB after all calls and sessions | {end:.1f} | {warm * (1 + MOST_GROWTH):.1f}{over} |",
    ]


async def _call(here: Running, number: int) -> None:
    """Half of each tool, a few at a time."""
    left = iter(range(number))

    async def worker() -> None:
        for each in left:
            await here.ask("research" if each % 2 else "answer", question())

    await all_of(worker() for _ in range(8))


async def _meet(here: Running, number: int) -> None:
    """Hosts that connect, initialize, list the tools, ask once and leave."""
    assert isinstance(here.channel, Posts)
    tool = here.server.tool("answer")
    assert tool is not None
    for _ in range(number):
        channel = Posts(here.channel.port)
        await shake_hands(channel)
        await channel.request("tools/call", tool.call(question()))
        await channel.close()


def _over(is_over: bool) -> str:
    return ", over" if is_over else ""


async def _measured(given: argparse.Namespace, server: Server) -> list[str]:
    async with upstream() as stub:
        lines = await _waiting(server, stub, given.waiting, given.seconds)
        return lines + await _long(server, stub, given.calls, given.sessions)


def main() -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20, help="how long the CPU of those that wait is measured")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=2_000)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the page's markers")
    given = parser.parse_args()
    ours = table.read(HERE / "servers.toml")["ours"]
    server = replace(ours, env={**ours.env, "PARALLEL_MCP_WAIT_SECONDS": f"{LONG_SECONDS:.0f}"})
    lines = asyncio.run(_measured(given, server))
    text = "\n".join(
        [page.circumstances([server], "benchmarks.beside.scale"), "", "| | measured | bound |", "|---|---|---|", *lines]
    )
    print(text)
    if given.write:
        page.write(given.write, "scale", text)
    return 1 if any(", over |" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
