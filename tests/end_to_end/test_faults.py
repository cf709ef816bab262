"""Faults through both tools, both transports and both eras: pairwise in CI, all combinations with `-m full`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path
from typing import Any, Literal, get_args

import anyio
import pytest
import stamina
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from parallel_mcp.chat import CUT_SHORT, GARBLED
from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from parallel_mcp.text import clean
from tests.support.clients import text_of
from tests.support.faults import FAULTS, SHORT, WORDS, Fault, Place
from tests.support.faulty_places import places
from tests.support.upstream import RawUpstream, serving

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
KEY = "sk-parallel-0123456789"
AT_ONCE = 6

Tool = Literal["web_answer", "deep_research"]
Transport = Literal["stdio", "http"]
Era = Literal["auto", "legacy"]


@dataclass(frozen=True)
class Cell:
    """One fault with one tool, called in one way."""

    fault: Fault
    tool: Tool
    transport: Transport
    era: Era
    stream: bool

    @property
    def question(self) -> str:
        return f"Why does {self.tool} in {self.era}? [{self.fault.name}]"

    @property
    def server(self) -> tuple[str, bool]:
        """What cells must share to use one server: its upstream, and how long it waits."""
        return self.fault.place, self.fault.seconds == SHORT


def all_cells() -> Iterator[Cell]:
    for ways in product(FAULTS, get_args(Tool), get_args(Transport), get_args(Era), (True, False)):
        yield Cell(*ways)


def pairwise_cells() -> Iterator[Cell]:
    """Two opposite ways for each fault, and others for the next, so that every pair of levels occurs."""
    for number, fault in enumerate(FAULTS):
        ways = [cell for cell in all_cells() if cell.fault is fault]
        yield ways[number % 8]
        yield ways[15 - number % 8]


def test_every_pair_of_levels_meets() -> None:
    def levels(cell: Cell) -> list[object]:
        return [cell.fault.name, cell.tool, cell.transport, cell.era, f"streamed {cell.stream}"]

    def pairs(cells: Iterable[Cell]) -> set[frozenset[object]]:
        return {frozenset((one, other)) for cell in cells for one in levels(cell) for other in levels(cell)}

    assert pairs(pairwise_cells()) == pairs(all_cells())


@pytest.fixture
def no_waits_between_attempts() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@asynccontextmanager
async def _client(cell: Cell, url: str) -> AsyncIterator[Client]:
    """A client of its own server, which uses `url`."""
    seconds = cell.fault.seconds if cell.fault.seconds == SHORT else 60.0
    settings = {
        **{"api_key": KEY, "base_url": url, "store": "memory:", "stream": cell.stream, "reuse_seconds": 0},
        **{"requests_per_minute": 1_000_000, "timeouts": dict.fromkeys(("speed", "lite", "base", "core"), seconds)},
    }
    if cell.transport == "stdio":
        arguments = ["-W", "error", "-m", "tests.support.faults_process", json.dumps(settings)]
        parameters = StdioServerParameters(command=sys.executable, args=arguments, cwd=ROOT)
        async with Client(stdio_client(parameters), mode=cell.era) as client:
            yield client
        return
    async with serving(application(Settings(**settings))) as own:
        transport = streamable_http_client(f"{own}/mcp", max_sse_event_size=None)
        async with Client(transport, mode=cell.era) as client:
            yield client


def wrong_with(cell: Cell, result: Any) -> str | None:
    """What a result has that the table does not."""
    text = text_of(result)
    if text != clean(text):
        return "control characters in its text"
    outcome = cell.fault.outcome(cell.stream)
    if isinstance(outcome, type):
        if not result.is_error or outcome.headline not in text:
            return f"no {outcome.__name__}: {text[:200]}"
        return None if ("may have been billed" in text) is cell.fault.may_be_billed else f"billing: {text[:300]}"
    if result.is_error or result.structured_content is None:
        return f"an error: {text[:200]}"
    answer = result.structured_content if cell.tool == "web_answer" else result.structured_content["answer"]
    on_progress = {
        name for name, sign in (("cut short", CUT_SHORT), ("garbled", GARBLED)) if sign in answer["warnings"]
    }
    if on_progress != {outcome} - {"whole"}:
        return f"warnings {answer['warnings']}"
    return (
        None if outcome != "whole" or answer["content"].startswith((WORDS, "So. ", "xxx")) else answer["content"][:200]
    )


async def _run(cells: Iterable[Cell], urls: Mapping[Place, str], upstream: RawUpstream) -> list[str]:
    """Ask all cells of one server, a few at a time. Returns what went wrong."""
    cells = list(cells)
    found: list[str] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def ask(client: Client, cell: Cell) -> None:
        async with limiter:
            # Five times what all attempts together may take.
            with anyio.move_on_after(5 * (cell.fault.seconds + 1) * cell.fault.tries) as scope:
                result = await client.call_tool(cell.tool, {"question": cell.question})
                if wrong := wrong_with(cell, result):
                    found.append(f"{cell.fault.name}, {cell.tool}, {cell.era}: {wrong}")
            if scope.cancelled_caught:
                found.append(f"{cell.fault.name}, {cell.tool}, {cell.era}: hangs")
        tries = sum(received.question == cell.question for received in upstream.received)
        if tries != (cell.fault.tries if cell.fault.place == "answering" else 0):
            found.append(f"{cell.fault.name}, {cell.tool}: sent {tries} times")

    async with _client(cells[0], urls[cells[0].fault.place]) as client:
        async with anyio.create_task_group() as group:
            for cell in cells:
                group.start_soon(ask, client, cell)
        if cells[0].fault.place == "answering":
            alive = await client.call_tool("web_answer", {"question": "Still there?"})
            if alive.is_error or alive.structured_content["content"] != WORDS:
                found.append(f"the server answers no more: {text_of(alive)[:200]}")
    await upstream.until(lambda upstream: upstream.open == 0)
    return found


async def _all(cells: Iterable[Cell], folder: Path) -> list[str]:
    def shared(cell: Cell) -> tuple[str, bool]:
        return cell.server

    found: list[str] = []
    before = asyncio.all_tasks()
    async with places(folder) as (urls, upstream):
        for _, group in groupby(sorted(cells, key=shared), shared):
            found += await _run(group, urls, upstream)
    # sse-starlette keeps one watcher per loop.
    # The process pool that reads large answers stays until the loop ends, too.
    kept = ("_shutdown_watcher", "process pool")
    left = [repr(task) for task in asyncio.all_tasks() - before if not any(name in repr(task) for name in kept)]
    return found + [f"left over: {task}" for task in left]


WAYS = [
    pytest.param(transport, era, stream, id=f"{transport}-{era}-{'streamed' if stream else 'unstreamed'}")
    for transport, era, stream in product(("stdio", "http"), ("auto", "legacy"), (True, False))
]


@pytest.mark.parametrize(("transport", "era", "stream"), WAYS)
@pytest.mark.usefixtures("no_waits_between_attempts")
async def test_each_pair_of_fault_and_way_gives_what_the_table_says(
    transport: Transport, era: Era, stream: bool, tmp_path: Path
) -> None:
    cells = [cell for cell in pairwise_cells() if (cell.transport, cell.era, cell.stream) == (transport, era, stream)]
    assert await _all(cells, tmp_path) == []


@pytest.mark.full
@pytest.mark.parametrize(("transport", "era", "stream"), WAYS)
@pytest.mark.usefixtures("no_waits_between_attempts")
async def test_every_fault_gives_what_the_table_says_in_every_way(
    transport: Transport, era: Era, stream: bool, tmp_path: Path
) -> None:
    cells = [cell for cell in all_cells() if (cell.transport, cell.era, cell.stream) == (transport, era, stream)]
    assert await _all(cells, tmp_path) == []
