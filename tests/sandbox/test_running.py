"""Starting, stopping, clients that leave, and many at once."""

import json
import logging
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.streams.text import TextReceiveStream

from parallel_mcp.sandbox import Fault, SandboxOptions, running
from parallel_mcp.sandbox.app import LATENCY, latency
from parallel_mcp.sandbox.engine import Earlier
from parallel_mcp.sandbox.interactions import Interactions
from tests.support.commands import environment_of
from tests.support.sandboxes import QUESTION, Start

pytestmark = pytest.mark.anyio

ASKED = {"model": "core", "messages": [{"role": "user", "content": QUESTION}]}
HEADERS = {"x-api-key": "k"}


async def test_running_yields_a_loopback_url_and_leaves_signals_and_output_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with running() as url:
        assert url.startswith("http://127.0.0.1:")
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.post(f"{url}/chat/completions", json=ASKED, headers=HEADERS)).status_code == 200
    assert capfd.readouterr() == ("", "")


async def test_two_sandboxes_run_side_by_side() -> None:
    async with running() as one, running() as other:
        assert one != other


async def test_port_that_is_taken_is_an_oserror() -> None:
    async with running() as url:
        with pytest.raises(OSError, match=r"in use|address"):
            async with running(port=int(url.rsplit(":", 1)[1])):
                pass


def always_hanging() -> SandboxOptions:
    return SandboxOptions(faults=(Fault("hang", 1.0),))


async def test_stopping_drops_requests_in_flight(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.TransportError):
            await client.post(f"{url}/chat/completions", json=ASKED)

    async with httpx2.AsyncClient(headers=HEADERS, trust_env=False) as client:
        with caplog.at_level(logging.WARNING), anyio.fail_after(10):
            async with anyio.create_task_group() as group, start(always_hanging()) as sandbox:
                for _ in range(5):
                    group.start_soon(ask, client, sandbox.url)
                await sandbox.app.state.traffic.until(lambda traffic: traffic.active == 5)
    assert caplog.records == []


@pytest.mark.parametrize("stream", [False, True])
async def test_client_that_leaves_stops_the_work(start: Start, stream: bool) -> None:
    async with start(SandboxOptions(latency="documented")) as sandbox:
        traffic = sandbox.app.state.traffic
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: sandbox.chat(model="core", stream=stream))
                await traffic.until(lambda seen: seen.active == 1)
                group.cancel_scope.cancel()
            await traffic.until(lambda seen: seen.active == 0)
        assert (traffic.requests, traffic.abandoned) == (1, 1)


async def test_answer_that_was_taken_in_whole_is_not_abandoned(start: Start) -> None:
    async with start() as sandbox:
        for stream in (False, True):
            await sandbox.chat(stream=stream)
        traffic = sandbox.app.state.traffic
        await traffic.until(lambda seen: seen.active == 0)
        assert (traffic.requests, traffic.abandoned) == (2, 0)


async def test_three_hundred_at_once_are_all_answered(start: Start) -> None:
    async with start(SandboxOptions(requests_per_minute=0)) as sandbox:
        codes: list[int] = []

        async def ask(number: int) -> None:
            answered = await sandbox.chat(f"How does the with statement use a context manager, case {number}?")
            codes.append(answered.status_code)

        with anyio.fail_after(300):
            async with anyio.create_task_group() as group:
                for number in range(300):
                    group.start_soon(ask, number)
    assert codes == [200] * 300


@pytest.mark.parametrize("model", LATENCY)
def test_documented_latency_keeps_to_its_table(model: Any) -> None:
    median, ninetieth, least, most = LATENCY[model]
    dice = random.Random(1)
    drawn = sorted(latency(model, dice) for _ in range(2000))
    assert least <= drawn[0] <= drawn[-1] <= most
    assert 0.85 * median <= drawn[1000] <= 1.15 * median
    assert drawn[1800] <= 1.2 * ninetieth


def test_oldest_interactions_are_forgotten(tmp_path: Path) -> None:
    kept = Interactions(tmp_path / "i.sqlite3", kept=2)
    ids = [kept.remember("k", Earlier(str(number), ("u",))) for number in range(3)]
    assert [kept.recall("k", each) for each in ids] == [None, Earlier("1", ("u",)), Earlier("2", ("u",))]


def test_an_interaction_is_known_to_its_own_key_only_and_in_every_process(tmp_path: Path) -> None:
    made = Interactions(tmp_path / "i.sqlite3").remember("k", Earlier("Why?", ("u",)))
    assert Interactions(tmp_path / "i.sqlite3").recall("k", made) == Earlier("Why?", ("u",))
    assert Interactions(tmp_path / "i.sqlite3").recall("another", made) is None


def test_follow_ups_work_within_a_process_whose_file_cannot_be_opened(tmp_path: Path) -> None:
    kept = Interactions(tmp_path)
    assert kept.recall("k", kept.remember("k", Earlier("Why?", ()))) == Earlier("Why?", ())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "sandbox.example"])
async def test_an_address_that_others_reach_needs_consent(host: str) -> None:
    with pytest.raises(ValueError, match="--expose"):
        async with running(host=host):
            pass


async def test_one_that_may_be_reached_by_others_answers_to_any_host() -> None:
    async with running(SandboxOptions(exposed=True), host="0.0.0.0") as url:
        local = url.replace("0.0.0.0", "127.0.0.1")
        async with httpx2.AsyncClient(headers={**HEADERS, "host": "sandbox.example"}, trust_env=False) as client:
            assert (await client.post(f"{local}/chat/completions", json=ASKED)).status_code == 200


async def test_one_with_a_key_of_its_own_takes_no_other() -> None:
    async with running(SandboxOptions(key="its-own")) as url, httpx2.AsyncClient(trust_env=False) as client:
        for key, status in (("its-own", 200), ("any", 401)):
            answered = await client.post(f"{url}/chat/completions", json=ASKED, headers={"x-api-key": key})
            assert answered.status_code == status


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_line_that_the_command_prints_works(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "parallel_mcp", "sandbox", "--port", "0", "--corpus", str(tmp_path)]
    (tmp_path / "a.md").write_text("# A\n\nA replica that is killed is replaced.\n")
    environment = environment_of(tmp_path)
    async with await anyio.open_process(command, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = TextReceiveStream(process.stderr)
        text = ""
        with anyio.fail_after(60):
            while "}" not in text or not text.endswith("\n"):
                text += await said.receive()
        line = next(line for line in text.splitlines() if line.startswith("  curl "))
        done = await anyio.run_process(["sh", "-c", line], env=environment)
        process.kill()
    assert json.loads(done.stdout)["choices"]
