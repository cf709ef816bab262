"""Research runs outlive their front: real fronts and engines on one store."""

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from parallel_mcp.models import Model, Question
from parallel_mcp.server import open_app
from parallel_mcp.settings import Settings
from parallel_mcp.stdio import finishing
from tests.support.fronts import RECORDER, Front, engines, engines_gone, fronted, research, waited_for
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

QUESTION: dict[str, Any] = {"question": "Why?"}
HELD = {"name": "deep_research", "arguments": QUESTION}


@asynccontextmanager
async def under_way(upstream: Upstream, store: Path | str, *arguments: str, **environment: str) -> AsyncIterator[Front]:
    """A front whose engine has sent one request, which `upstream` holds."""
    before = len(upstream.received)
    async with fronted(upstream, store, *arguments, **environment) as front:
        await front.shake_hands()
        await front.request(2, "tools/call", HELD)
        await upstream.requests(before + 1, 30)
        yield front


async def _close_stdin(front: Front) -> None:
    await front.stdin.aclose()


def _signal(number: signal.Signals) -> Callable[[Front], Awaitable[None]]:
    async def send(front: Front) -> None:
        front.process.send_signal(number)

    return send


def _signal_group(number: signal.Signals) -> Callable[[Front], Awaitable[None]]:
    async def send(front: Front) -> None:
        os.killpg(front.process.pid, number)

    return send


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_close_stdin, id="end of input"),
        pytest.param(_signal(signal.SIGTERM), id="SIGTERM"),
        pytest.param(_signal(signal.SIGINT), id="SIGINT"),
        pytest.param(_signal(signal.SIGHUP), id="SIGHUP"),
        pytest.param(_signal(signal.SIGKILL), id="SIGKILL"),
        pytest.param(_signal_group(signal.SIGTERM), id="SIGTERM to the group"),
        pytest.param(_signal_group(signal.SIGKILL), id="SIGKILL to the group"),
    ],
)
async def test_a_run_whose_front_ended_is_finished_and_given_to_the_next_process_with_one_request(
    upstream: Upstream, tmp_path: Path, end: Callable[[Front], Awaitable[None]]
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await end(front)
        await front.silence()
        await front.process.wait()
        assert len(engines(store)) == 1
    gate.set()
    await engines_gone(store)
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        row = await research(front, **QUESTION)
    assert (row["status"], row["attempts"], row["answer"]["reused"]) == ("completed", 1, True)
    assert len(upstream.received) == 1


async def test_who_asks_while_the_run_is_being_finished_waits_for_it(upstream: Upstream, tmp_path: Path) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await front.stdin.aclose()
        await front.process.wait()
    async with fronted(upstream, store, "--wait-seconds", "30") as front:
        await front.shake_hands()
        async with anyio.create_task_group() as group:
            rows: list[dict[str, Any]] = []

            async def ask() -> None:
                rows.append(await research(front, **QUESTION))

            group.start_soon(ask)
            await waited_for(store)
            gate.set()
    assert (rows[0]["status"], rows[0]["attempts"]) == ("completed", 1)
    assert len(upstream.received) == 1


async def test_a_web_answer_is_let_go(upstream: Upstream, tmp_path: Path) -> None:
    upstream.hold()
    store = tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await front.request(3, "tools/call", {"name": "web_answer", "arguments": {"question": "Who?"}})
        await upstream.requests(2)
        await front.stdin.aclose()
        await upstream.until(lambda self: self.closed == 1)
        assert len(engines(store)) == 1
        os.kill(engines(store)[0], signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        pytest.param([], {"PARALLEL_MCP_FINISH_RESEARCH": "false"}, id="told not to finish"),
        pytest.param(["--no-finish-research"], {}, id="told so by a flag"),
        pytest.param(["--no-front"], {}, id="without a front"),
    ],
)
async def test_where_nothing_is_to_be_finished_the_lease_is_given_back_at_once(
    upstream: Upstream, tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store, *arguments, **environment) as front:
        await front.stdin.aclose()
        await upstream.until(lambda self: self.closed == 1)
        await engines_gone(store)
    gate.set()
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        row = await research(front, **QUESTION)
    assert (row["status"], row["attempts"]) == ("completed", 2)


async def test_what_is_only_in_memory_is_not_finished(upstream: Upstream) -> None:
    upstream.hold()
    async with under_way(upstream, "memory:") as front:
        await front.stdin.aclose()
        await upstream.until(lambda self: self.closed == 1)


async def test_a_signal_to_the_engine_gives_the_lease_back(upstream: Upstream, tmp_path: Path) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await front.stdin.aclose()
        await front.process.wait()
        os.kill(engines(store)[0], signal.SIGTERM)
        await upstream.until(lambda self: self.closed == 1)
        await engines_gone(store)
    gate.set()
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        assert (await research(front, **QUESTION))["attempts"] == 2


async def test_an_engine_killed_in_mid_run_leaves_its_front_up_and_the_run_to_those_who_ask(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store, "--wait-seconds", "60") as front:
        os.kill(engines(store)[0], signal.SIGKILL)
        result = (await front.answer(2))["result"]
        assert result["isError"]
        assert "may have been billed" in result["content"][0]["text"]
        gate.set()
        await front.request(3, "tools/call", HELD)
        row = (await front.answer(3, 60))["result"]["structuredContent"]
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert len(upstream.received) == 2


async def test_cancel_from_another_process_stops_a_run_that_is_being_finished(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.hold()
    store = tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await front.stdin.aclose()
        await front.process.wait()
    with closing(sqlite3.connect(store)) as db, db:
        research_id = db.execute("SELECT id FROM research").fetchone()[0]
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        assert (await research(front, research_id=research_id, cancel=True))["status"] == "cancelled"
        await upstream.until(lambda self: self.closed == 1, 15)
    await engines_gone(store)


async def test_more_engines_than_may_finish_give_their_leases_back(upstream: Upstream, tmp_path: Path) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    import fcntl

    with (tmp_path / "research.finishing").open("w") as places:
        fcntl.lockf(places, fcntl.LOCK_EX, finishing.MAX_ENGINES, 0)
        async with under_way(upstream, store) as front:
            await front.stdin.aclose()
            await upstream.until(lambda self: self.closed == 1)
            await engines_gone(store)
    gate.set()


async def test_two_engines_finish_on_one_store(upstream: Upstream, tmp_path: Path) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    other = {"question": "Who?"}
    async with under_way(upstream, store) as one, fronted(upstream, store) as two:
        await two.shake_hands()
        await two.request(2, "tools/call", {"name": "deep_research", "arguments": other})
        await upstream.requests(2, 30)
        for front in (one, two):
            front.process.kill()
        assert len(engines(store)) == 2
    gate.set()
    await engines_gone(store)
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        rows = [await research(front, 3, **QUESTION), await research(front, 4, **other)]
    assert [(row["status"], row["attempts"]) for row in rows] == [("completed", 1)] * 2
    assert len(upstream.received) == 2


async def test_a_run_is_finished_though_the_package_is_gone_meanwhile(upstream: Upstream, tmp_path: Path) -> None:
    """Another version may be installed over this one."""
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    package = tmp_path / "packages" / "parallel_mcp"
    shutil.copytree(Path(finishing.__file__).parents[1], package)
    async with under_way(upstream, store, PYTHONPATH=str(package.parent)) as front:
        shutil.rmtree(package)
        await front.stdin.aclose()
        await front.process.wait()
    gate.set()
    await engines_gone(store)
    assert await _finished_with_one_request(upstream, store)


async def test_everything_that_finishing_needs_is_imported_before_the_first_run(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    folder = anyio.Path(tmp_path / "recorder")
    await folder.mkdir()
    await (folder / "sitecustomize.py").write_text(RECORDER)
    async with under_way(upstream, store, PYTHONPATH=str(folder)) as front:
        imported = folder / str(engines(store)[0])
        before = (await imported.read_text()).splitlines()
        await front.stdin.aclose()
        await front.process.wait()
    gate.set()
    await engines_gone(store)
    assert "parallel_mcp.stdio.finishing" in before
    assert (await imported.read_text()).splitlines()[len(before) :] == []
    assert await _finished_with_one_request(upstream, store)


async def _finished_with_one_request(upstream: Upstream, store: Path) -> bool:
    async with fronted(upstream, store) as front:
        await front.shake_hands()
        row = await research(front, **QUESTION)
    return (row["status"], row["attempts"], len(upstream.received)) == ("completed", 1, 1)


async def test_a_run_outlives_a_sleep_of_the_machine(upstream: Upstream, tmp_path: Path) -> None:
    """Suspended for longer than a lease, while somebody else only looks: the answer is still its own."""
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        await front.stdin.aclose()
        await front.process.wait()
    engine = engines(store)[0]
    await _stopped_and_lapsed(engine, store)
    gate.set()
    os.kill(engine, signal.SIGCONT)
    await engines_gone(store)
    assert await _finished_with_one_request(upstream, store)


async def test_an_answer_that_a_full_disk_does_not_take_is_kept_until_it_does(
    upstream: Upstream, tmp_path: Path
) -> None:
    gate, store = upstream.hold(), tmp_path / "research.sqlite3"
    async with under_way(upstream, store) as front:
        engine = engines(store)[0]
        usual = resource.prlimit(engine, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        await front.stdin.aclose()
        await front.process.wait()
    gate.set()
    for _ in range(20):
        assert engines(store) == [engine]
        await anyio.sleep(0.05)
    resource.prlimit(engine, resource.RLIMIT_FSIZE, usual)
    await engines_gone(store)
    assert await _finished_with_one_request(upstream, store)


@pytest.mark.parametrize("slept", [0.0, 3600.0], ids=["by the clock that runs", "by the wall clock, after a sleep"])
async def test_a_run_is_finished_for_as_long_as_its_model_may_take_and_is_then_given_back(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: float
) -> None:
    monkeypatch.setattr(finishing, "STORING_SECONDS", 0.2)
    upstream.hold()
    settings = Settings(api_key="k", base_url=upstream.url, store=str(tmp_path / "research.sqlite3"))
    async with open_app(settings) as app:
        principal = app.who(None)
        row, _ = await app.service.ask(principal, Question(text="Why?", model=Model.BASE))
        await upstream.requests(1)
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + slept)
        with anyio.fail_after(20):
            await finishing.Finishing(tmp_path / "research.finishing", {Model.BASE: slept}).finish(app.service)
        assert app.service.is_working
        assert not upstream.closed
    await upstream.until(lambda self: self.closed == 1)
    async with open_app(settings) as app:
        given_back = await app.service.store.get(row.research_id, principal.scope)
    assert given_back is not None
    assert (given_back.status, given_back.holder, given_back.attempts) == ("working", None, 1)


async def _stopped_and_lapsed(engine: int, store: Path) -> None:
    """Suspend it outside of a transaction, and let its lease lapse, as in a minute's sleep."""
    while True:
        os.kill(engine, signal.SIGSTOP)
        with closing(sqlite3.connect(store, timeout=0.1)) as db, db, contextlib.suppress(sqlite3.OperationalError):
            db.execute("UPDATE research SET due = due - 60")
            return
        os.kill(engine, signal.SIGCONT)
        await anyio.sleep(0.1)
