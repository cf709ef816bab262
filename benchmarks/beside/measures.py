"""The measurements of one running server. Times are in milliseconds unless stated otherwise."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass

from benchmarks.beside.connection import Failed, Running

WARM_UP = 20
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Size:
    """How many of each to run."""

    calls: int = 200
    rate_calls: int = 800
    in_flight: int = 200
    burst: int = 300
    burst_seconds: float = 3.0


def question() -> str:
    """A question that nobody asked before, so that nothing is reused or joined."""
    return f"matter {next(_numbers):07}"


async def one_by_one(running: Running, kind: str, calls: int) -> dict[str, float]:
    """The CPU per call in all the server's processes, and how long single calls take."""
    for _ in range(WARM_UP):
        await running.ask(kind, question())
    times = []
    cpu = running.cpu_seconds()
    for _ in range(calls):
        began = time.perf_counter()
        await running.ask(kind, question())
        times.append((time.perf_counter() - began) * 1000)
    cpu = running.cpu_seconds() - cpu
    cuts = statistics.quantiles(times, n=100)
    return {"cpu": cpu * 1000 / calls, "p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


async def rate(running: Running, kind: str, size: Size) -> dict[str, float]:
    """Calls per second with this many in flight all the time, and the CPU per call."""
    left = iter(range(size.rate_calls))
    failed = 0

    async def worker() -> None:
        nonlocal failed
        for _ in left:
            try:
                await running.ask(kind, question())
            except Failed:
                failed += 1

    cpu = running.cpu_seconds()
    began = time.perf_counter()
    await all_of(worker() for _ in range(size.in_flight))
    took = time.perf_counter() - began
    cpu = running.cpu_seconds() - cpu
    return {"rate": size.rate_calls / took, "rate_cpu": cpu * 1000 / size.rate_calls, "rate_failed": failed}


async def burst(running: Running, kind: str, size: Size) -> dict[str, float]:
    """This many calls at once, each some seconds long upstream: seconds until the last returns, and failures."""
    failed = 0

    async def call() -> None:
        nonlocal failed
        try:
            await running.ask(kind, question())
        except Failed:
            failed += 1

    began = time.perf_counter()
    await all_of(call() for _ in range(size.burst))
    return {"burst": time.perf_counter() - began, "burst_failed": failed}


async def all_of(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all at once, and wait for the last."""
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)
