"""This server beside others, in one run: python -m benchmarks.beside [--only NAME ...] [--metrics NAME ...]

Every server in `servers.toml` is started, called and stopped in turn, round after round, against the same stub, so that
a busy machine slows all of them equally: compare within a run, not between runs. Prints the median of the rounds as a
Markdown table. Needs Linux (for /proc), and npm for the servers that come from there.

    --only ours minimal              some servers
    --metrics start cpu              some of: start, calls (CPU, p50, p95, p99), rate, burst, memory
    --transports stdio               or http
    --kinds answer                   or research
    --rounds N                       3 by default: all of it in under ten minutes on two idle cores
    --quick                          2 rounds with a third of the calls, for a quick look during development
    --servers FILE                   another table
    --json FILE                      every round's figures
    --write docs/performance.md README.md
                                     write the tables, and two rows of them, between the pages' markers
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.beside import measures, page, table
from benchmarks.beside.connection import Failed, Posts, Running, free_port, running
from benchmarks.beside.measures import Size
from benchmarks.beside.table import HERE, Server

METRICS = ("start", "calls", "rate", "burst", "memory")
ROWS = {
    "start": "start to tools/list, ms",
    "discovered": "the same after server/discover, ms",
    "first": "start to the first answer, ms",
    "listed": "tools/list, bytes",
    "cpu": "CPU per call, ms",
    "p50": "p50, ms",
    "p95": "p95, ms",
    "p99": "p99, ms",
    "rate": "calls/s, {in_flight} in flight",
    "rate_cpu": "CPU per call at that rate, ms",
    "rate_failed": "of {rate_calls} calls failed",
    "burst": "{burst} x {burst_seconds:g} s at once, s",
    "burst_failed": "of them failed",
    "memory_start": "MB after start",
    "memory_after": "MB afterwards",
}
NEVER_ZERO = {"rate_failed", "burst_failed"}
IN_SHORT = ("cpu", "rate")
"""The two rows that the README shows."""

Figures = dict[str, float]
Found = dict[tuple[str, str, str], list[Figures]]
"""The figures of each round, by transport, kind and server."""


class Stub:
    """The upstream that all servers share."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._control = Posts(port)

    async def takes(self, seconds: float) -> None:
        """Set how long each answer takes from now on."""
        await self._control.post("/control", {"seconds": seconds})

    async def close(self) -> None:
        """Stop it."""
        await self._control.close()

    async def count(self, question: str) -> int:
        """The number of requests for this question."""
        return int(await self._control.post("/count", {"question": question}))


@asynccontextmanager
async def upstream() -> AsyncIterator[Stub]:
    """The stub, as a separate process."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, str(HERE / "stub.py"), str(port))
    stub = Stub(port)
    try:
        for _ in range(1000):
            try:
                await stub.takes(0)
                break
            except OSError:
                await asyncio.sleep(0.01)
        yield stub
    finally:
        await stub.close()
        process.kill()
        await process.wait()


async def measure(server: Server, transport: str, kind: str, wanted: set[str], size: Size, stub: Stub) -> Figures:
    """One round of one server. Raises Failed if it does not answer."""
    figures: Figures = {}
    polls = getattr(server.tool(kind), "polls", False)
    with tempfile.TemporaryDirectory() as folder:
        if "start" in wanted and transport == "stdio":
            # A server that knows no discovery has no such figure.
            with suppress(Failed, TimeoutError):
                async with running(server, transport, stub.url, folder, modern=True) as here:
                    figures["discovered"] = here.started_ms
        async with running(server, transport, stub.url, folder) as here:
            figures |= await _start(here, kind, wanted, polls)
            if "calls" in wanted and not polls:
                figures |= await measures.one_by_one(here, kind, size.calls)
            if "rate" in wanted and not polls:
                figures |= await measures.rate(here, kind, size)
            if "burst" in wanted:
                await stub.takes(size.burst_seconds)
                figures |= await measures.burst(here, kind, size)
                await stub.takes(0)
            if "memory" in wanted:
                figures["memory_after"] = here.memory_mb()
    return figures


async def _start(here: Running, kind: str, wanted: set[str], polls: bool) -> Figures:
    figures: Figures = {}
    began = asyncio.get_running_loop().time()
    if not polls:
        await here.ask(kind, measures.question())
    if "start" in wanted:
        figures |= {"start": here.started_ms, "listed": len(here.listed)}
        if not polls:
            figures["first"] = here.started_ms + (asyncio.get_running_loop().time() - began) * 1000
    if "memory" in wanted:
        figures["memory_start"] = here.memory_mb()
    return figures


async def _rounds(servers: list[Server], given: argparse.Namespace, size: Size) -> Found:
    found: Found = defaultdict(list)
    async with upstream() as stub:
        for server in servers:
            server.prepare(stub.url)
        try:
            for number in range(given.rounds):
                for transport in given.transports:
                    for kind in given.kinds:
                        for server in servers:
                            if server.tool(kind) is None or not getattr(server, transport):
                                continue
                            print(f"round {number + 1}: {transport} {kind} {server.name}", file=sys.stderr, flush=True)
                            try:
                                figures = await measure(server, transport, kind, set(given.metrics), size, stub)
                            except (Failed, TimeoutError) as failure:
                                sys.exit(f"{server.name}, {transport}, {kind}: {failure or 'did not start in time'}")
                            found[transport, kind, server.name].append(figures)
        finally:
            for server in servers:
                server.clean(stub.url)
    return found


def medians(rounds: list[Figures]) -> Figures:
    """The median of every figure."""
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}" if value < 1 else f"{value:.1f}"


def tables(found: Found, servers: list[Server], size: Size, rows: Collection[str] = tuple(ROWS)) -> str:
    """One Markdown table per transport and kind."""
    parts = []
    titles = {"answer": "web_answer or similar", "research": "deep_research or similar"}
    for transport, kind in dict.fromkeys((transport, kind) for transport, kind, _ in found):
        columns = {
            server: medians(found[transport, kind, server.name])
            for server in servers
            if (transport, kind, server.name) in found
        }
        lines = [f"| {transport}, {titles[kind]} | " + " | ".join(server.title for server in columns) + " |"]
        lines.append("|---" * (len(columns) + 1) + "|")
        for row, label in ((row, label) for row, label in ROWS.items() if row in rows):
            values = [figures.get(row) for figures in columns.values()]
            if any(values) or (row not in NEVER_ZERO and any(value is not None for value in values)):
                name = label.format_map(vars(size))
                lines.append(f"| {name} | " + " | ".join(map(_shown, values)) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _arguments() -> tuple[argparse.Namespace, Size]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=Path, default=HERE / "servers.toml")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=METRICS)
    parser.add_argument("--transports", nargs="+", choices=("stdio", "http"), default=("stdio", "http"))
    parser.add_argument("--kinds", nargs="+", choices=("answer", "research"), default=("answer", "research"))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, nargs="+", default=())
    given = parser.parse_args()
    given.rounds = given.rounds or (2 if given.quick else 3)
    return given, Size(calls=100, rate_calls=400) if given.quick else Size()


def main() -> None:
    """Run the command."""
    given, size = _arguments()
    known = table.read(given.servers)
    if unknown := set(given.only or ()) - set(known):
        sys.exit(f"{', '.join(sorted(unknown))}: not among {', '.join(known)}")
    servers = [server for name, server in known.items() if not given.only or name in given.only]
    found = asyncio.run(_rounds(servers, given, size))
    text = page.circumstances(servers, "benchmarks.beside") + "\n\n" + tables(found, servers, size)
    print(text)
    if given.json:
        rounds: dict[str, Any] = {" ".join(key): figures for key, figures in found.items()}
        given.json.write_text(json.dumps(rounds, indent=1), "utf-8")
    in_short = {key: rounds for key, rounds in found.items() if key[:2] == ("stdio", "answer")}
    for file in given.write:
        if page.has(file, "beside in short"):
            page.write(file, "beside in short", tables(in_short, servers, size, IN_SHORT))
        else:
            page.write(file, "beside", text)


if __name__ == "__main__":
    main()
