"""Measures the promised time bounds exactly: python -m benchmarks.bounds

Tests allow five times the bound, because machines are noisy; this prints the true times. Each is the median and the
worst of `--rounds` rounds. The exit status is 1 if a median is over its bound.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import anyio
from mcp import Client

from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from tests.support.pipes import Pipe, started
from tests.support.upstream import Upstream, upstream_running

Round = Callable[[], Awaitable[float]]


async def first_progress() -> float:
    """From a call of web_answer, over a real pipe, to the first progress report."""
    async with upstream_running() as upstream:
        upstream.hold()
        async with started(upstream) as pipe:
            await pipe.shake_hands()
            began = time.monotonic()
            call = {"name": "web_answer", "arguments": {"question": "Why?"}, "_meta": {"progressToken": 1}}
            await pipe.send("tools/call", call, 2)
            assert (await pipe.read())["method"] == "notifications/progress"
            return time.monotonic() - began


async def end_of_stdin() -> float:
    """From the end of stdin, with a research run in flight, to the end of the process."""
    async with upstream_running() as upstream:
        upstream.hold()
        async with started(upstream) as pipe:
            await _in_flight(pipe, upstream, "deep_research")
            began = time.monotonic()
            await pipe.stdin.aclose()
            await pipe.process.wait()
            return time.monotonic() - began


async def cancelled() -> float:
    """From the host's cancel of a web_answer to the end of its request upstream."""
    async with upstream_running() as upstream:
        upstream.hold()
        async with started(upstream) as pipe:
            await _in_flight(pipe, upstream, "web_answer")
            began = time.monotonic()
            await pipe.send("notifications/cancelled", {"requestId": 2})
            await upstream.until(lambda self: self.closed == 1)
            return time.monotonic() - began


async def _in_flight(pipe: Pipe, upstream: Upstream, tool: str) -> None:
    await pipe.shake_hands()
    await pipe.send("tools/call", {"name": tool, "arguments": {"question": "Why?"}}, 2)
    await upstream.requests(1)


async def listed() -> int:
    """The size of tools/list in bytes, without icons."""
    async with Client(build(Settings(store="memory:")), mode="legacy") as client:
        result = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)
    for tool in result["tools"]:
        tool.pop("icons", None)
    return len(json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode())


BOUNDS: dict[str, tuple[float, Round]] = {
    "first progress after the call": (0.3, first_progress),
    "process exited after the end of stdin": (1.0, end_of_stdin),
    "upstream request closed after a cancel": (1.0, cancelled),
}


async def measure(rounds: int) -> bool:
    """Print every bound and its measured time. Returns whether all hold."""
    held = True
    for name, (bound, work) in BOUNDS.items():
        times = [await work() for _ in range(rounds)]
        median = statistics.median(times)
        held = held and median <= bound
        print(f"{name:42} {median:7.3f} s  (worst {max(times):.3f} s, bound {bound:g} s)")
    size = await listed()
    print(f"{'tools/list without icons':42} {size:7} bytes  (bound 6,000)")
    return held and size <= 6_000


def main() -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    return 0 if anyio.run(measure, parser.parse_args().rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
