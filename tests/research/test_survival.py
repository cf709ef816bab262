"""Research runs across real processes: what a killed, ended or second process means for them."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from mcp import Client, StdioServerParameters

from parallel_mcp.research import Principal, Scope, payer_of
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.services import eventually, requests_paid
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

SOON = 5.0
"""Five times the second within which a process has to exit."""
TAKEN_OVER_SECONDS = 60.0
"""Longer than a lease, a renewal and a request."""


@dataclass
class Server:
    """One server process, over HTTP."""

    process: Process
    url: str

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with Client(self.url) as client:
            yield client


def _environment(upstream: Upstream, store: Path, **more: str) -> dict[str, str]:
    return {
        "PARALLEL_API_KEY": "k",
        "PARALLEL_BASE_URL": upstream.url,
        "PARALLEL_MCP_STORE": str(store),
        "PARALLEL_MCP_WAIT_SECONDS": "55",
        **more,
    }


@asynccontextmanager
async def serving(upstream: Upstream, store: Path, **more: str) -> AsyncIterator[Server]:
    command = [sys.executable, "-m", "parallel_mcp", "http", "--port", "0"]
    process = await anyio.open_process(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment(upstream, store, **more)
    )
    async with process:
        assert process.stderr is not None
        said = ""
        with anyio.fail_after(30):
            async for text in TextReceiveStream(process.stderr):
                said += text
                if "/mcp" in said:
                    break
        try:
            yield Server(process, said.rpartition("serving ")[2].strip())
        finally:
            if process.returncode is None:
                process.kill()


async def ended(process: Process) -> None:
    with anyio.fail_after(20):
        await process.wait()


async def research(client: Client, **arguments: Any) -> tuple[dict[str, Any], str]:
    with anyio.fail_after(TAKEN_OVER_SECONDS):
        result = await client.call_tool("deep_research", arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content, result.content[0].text  # type: ignore[union-attr]


async def begin(server: Server, upstream: Upstream, *questions: str) -> None:
    """Put questions in flight, and let go of them."""
    before = len(upstream.received)
    async with server.client() as client, anyio.create_task_group() as group:
        for question in questions:
            group.start_soon(client.call_tool, "deep_research", {"question": question})
        await upstream.requests(before + len(questions))
        group.cancel_scope.cancel()


async def test_what_was_in_flight_when_a_process_was_killed_is_sent_once_more_for_those_who_ask(
    upstream: Upstream, tmp_path: Path
) -> None:
    file = tmp_path / "research.sqlite3"
    gate = upstream.hold()
    async with serving(upstream, file) as first:
        await begin(first, upstream, "By id?", "By question?", "By nobody?")
        first.process.kill()
        await ended(first.process)
    gate.set()
    found: dict[str, tuple[dict[str, Any], str]] = {}
    async with serving(upstream, file) as second, second.client() as client:
        history = (await client.read_resource("research://")).contents[0].text  # type: ignore[union-attr]
        assert history.count('"status": "working"') == 3
        research_id = await _id_of(file, upstream, "By id?")

        async def ask(name: str, **arguments: Any) -> None:
            found[name] = await research(client, **arguments)

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: ask("id", research_id=research_id))
            group.start_soon(lambda: ask("question", question="By question?"))
    for row, text in found.values():
        assert (row["status"], row["attempts"]) == ("completed", 2)
        assert row["answer"]["cost_usd"] == 0.02
        assert not row["answer"]["reused"]
        assert "The process working on this stopped, so the question was sent twice" in text
        assert "the first request may have been billed too" in text
    assert found["id"][0]["research_id"] == research_id
    assert found["id"][0]["answer"]["content"] == "An answer to: By id?"
    sent = sorted(request.question for request in upstream.received)
    assert sent == ["By id?", "By id?", "By nobody?", "By question?", "By question?"]
    store = SQLiteStore(file)
    assert await requests_paid(store, _local(upstream)) == 5
    await store.close()


def _local(upstream: Upstream) -> Principal:
    return Principal(Scope("local", payer_of("k", upstream.url), upstream.url), "k")


async def _id_of(file: Path, upstream: Upstream, question: str) -> str:
    store = SQLiteStore(file)
    rows = await store.list(_local(upstream).scope)
    await store.close()
    return next(row.research_id for row in rows if row.question.text == question)


async def test_a_finished_row_survives_a_kill(upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "research.sqlite3"
    async with serving(upstream, file) as first:
        async with first.client() as client:
            done, _ = await research(client, question="Why?")
        first.process.kill()
        await ended(first.process)
    async with serving(upstream, file) as second, second.client() as client:
        by_id, _ = await research(client, research_id=done["research_id"])
        by_question, _ = await research(client, question="Why?")
    assert by_id == done
    done["answer"]["reused"] = True
    assert by_question == done
    assert len(upstream.received) == 1


async def test_sigterm_gives_the_lease_back_so_that_the_next_process_takes_it_over_at_once(
    upstream: Upstream, tmp_path: Path
) -> None:
    file = tmp_path / "research.sqlite3"
    gate = upstream.hold()
    async with serving(upstream, file) as first:
        await begin(first, upstream, "Why?")
        first.process.terminate()
        with anyio.fail_after(SOON):
            assert await first.process.wait() == 0
    gate.set()
    async with serving(upstream, file) as second, second.client() as client:
        with anyio.fail_after(SOON):
            row, _ = await research(client, question="Why?")
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert len(upstream.received) == 2


async def test_the_end_of_stdin_gives_the_lease_back_where_nothing_is_to_be_finished(
    upstream: Upstream, tmp_path: Path
) -> None:
    file = tmp_path / "research.sqlite3"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "parallel_mcp", "--no-finish-research"],
        env=_environment(upstream, file),
    )
    gate = upstream.hold()
    async with Client(parameters) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "deep_research", {"question": "Why?"})
        await upstream.requests(1)
        group.cancel_scope.cancel()
    # The front exits before its engine.
    await upstream.until(lambda self: self.closed == 1)
    gate.set()
    async with Client(parameters) as client:
        with anyio.fail_after(SOON):
            row, _ = await research(client, question="Why?")
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert len(upstream.received) == 2


def _waiting(file: Path) -> int:
    with closing(sqlite3.connect(file)) as db:
        return int(db.execute("SELECT count(*) FROM waiting").fetchone()[0])


async def test_fifty_at_once_from_two_processes_are_one_request(upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "research.sqlite3"
    gate = upstream.hold()
    found: list[dict[str, Any]] = []

    async def ask(client: Client) -> None:
        found.append((await research(client, question="Why?"))[0])

    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(upstream, file)) for _ in range(2)]
        clients = [await stack.enter_async_context(server.client()) for server in servers]
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(ask, clients[number % 2])
            await upstream.requests(1)
            # Later callers would be given the stored answer.
            await eventually(lambda: _waiting(file) == 50)
            gate.set()
    assert len(upstream.received) == 1
    assert {(row["research_id"], row["status"], row["attempts"]) for row in found} == {
        (found[0]["research_id"], "completed", 1)
    }
    assert not any(row["answer"]["reused"] for row in found), "it is the first delivery for each of them"
    assert len({row["answer"]["content"] for row in found}) == 1
    store = SQLiteStore(file)
    assert await requests_paid(store, _local(upstream)) == 1
    await store.close()


async def test_two_processes_with_other_keys_share_a_file_and_nothing_in_it(upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "research.sqlite3"
    async with (
        serving(upstream, file) as one,
        serving(upstream, file, PARALLEL_API_KEY="another") as two,
        one.client() as mine,
        two.client() as theirs,
    ):
        row, _ = await research(mine, question="Why?")
        result = await theirs.call_tool("deep_research", {"research_id": row["research_id"]})
        assert result.is_error
        other, _ = await research(theirs, question="Why?")
        assert other["research_id"] != row["research_id"]
        assert not other["answer"]["reused"]
        history = (await theirs.read_resource("research://")).contents[0].text  # type: ignore[union-attr]
        assert row["research_id"] not in history
    assert len(upstream.received) == 2


async def test_a_process_whose_store_cannot_be_opened_starts_and_answers(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(upstream, tmp_path) as server, server.client() as client:
        assert not (await client.call_tool("web_answer", {"question": "Why?"})).is_error
        result = await client.call_tool("deep_research", {"question": "Why?"})
    assert result.is_error
    assert "cannot be opened" in result.content[0].text  # type: ignore[union-attr]
