"""Runs of processes that died: what history says about them, and that nothing is sent again silently."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from tests.support.commands import environment_of, run
from tests.support.fronts import engines, engines_gone, fronted, waited_for
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


async def _interrupted(upstream: Upstream, store: Path) -> str:
    """The id of a run whose engine was killed and whose lease has lapsed."""
    gate = upstream.hold()
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        await front.request(2, "tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}})
        await upstream.requests(1, 30)
        for engine in engines(store):
            await anyio.run_process(["kill", "-9", str(engine)])
        await engines_gone(store)
    gate.set()
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE research SET due = due - 60")
        return str(db.execute("SELECT id FROM research").fetchone()[0])


async def test_history_says_that_a_run_of_a_dead_process_was_probably_interrupted_and_waiting_says_so_first(
    upstream: Upstream, tmp_path: Path
) -> None:
    store = tmp_path / "research.sqlite3"
    research_id = await _interrupted(upstream, store)
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": str(store)}

    async def of(*arguments: str) -> tuple[str, str]:
        done = await anyio.to_thread.run_sync(lambda: run(tmp_path, *arguments, **environment))
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    assert "probably interrupted" in (await of("history"))[0]
    (listed,) = json.loads((await of("history", "--json"))[0])["research"]
    assert (listed["status"], listed["probably_interrupted"]) == ("working", True)
    assert "sends it once more" in (await of("history", "show", research_id))[0]
    assert len(upstream.received) == 1
    answer, said = await of("research", "--id", research_id)
    assert "An answer to: Why?" in answer
    assert "sends it once more" in said
    assert len(upstream.received) == 2
    (listed,) = json.loads((await of("history", "--json"))[0])["research"]
    assert (listed["status"], listed["probably_interrupted"]) == ("completed", False)


async def test_a_command_that_waits_for_a_process_that_dies_says_so_before_it_sends_again(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        await front.request(2, "tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}})
        await upstream.requests(1, 30)
        environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": str(store)}
        command = [sys.executable, "-m", "parallel_mcp", "research", "Why?"]
        async with await anyio.open_process(
            command, stdin=subprocess.DEVNULL, env={**environment_of(tmp_path), **environment}
        ) as process:
            await waited_for(store, 2)
            for engine in engines(store):
                os.kill(engine, signal.SIGKILL)
            await engines_gone(store)
            gate.set()
            with closing(sqlite3.connect(store)) as db, db:
                db.execute("UPDATE research SET due = due - 60")
            assert process.stdout is not None
            assert process.stderr is not None
            with anyio.fail_after(60):
                answer = b"".join([part async for part in process.stdout])
                said = b"".join([part async for part in process.stderr])
    assert b"An answer to: Why?" in answer
    assert said.count(b"probably interrupted") == 1
    assert len(upstream.received) == 2
