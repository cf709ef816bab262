"""Runs of processes that are gone: what history says of them, and that nothing is sent again without a word."""

import json
import sqlite3
from pathlib import Path

import anyio
import pytest

from tests.support.commands import run
from tests.support.fronts import engines, engines_gone, fronted
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio


async def _interrupted(upstream: Upstream, store: Path) -> str:
    """A run whose engine was killed, and whose lease has lapsed since; its id."""
    gate = upstream.hold()
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        await front.request(2, "tools/call", {"name": "deep_research", "arguments": {"question": "Why?"}})
        await upstream.requests(1, 30)
        for engine in engines(store):
            await anyio.run_process(["kill", "-9", str(engine)])
        await engines_gone(store)
    gate.set()
    with sqlite3.connect(store) as db:
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
    assert said.index("sends it once more") < said.index("Researching")
    assert len(upstream.received) == 2
    (listed,) = json.loads((await of("history", "--json"))[0])["research"]
    assert (listed["status"], listed["probably_interrupted"]) == ("completed", False)
