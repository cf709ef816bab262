"""The front alone, with engines scripted by the tests."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from parallel_mcp.stdio.snapshot import Snapshot
from tests.support.fronts import Front, scripted
from tests.support.pipes import HELLO, META

pytestmark = pytest.mark.anyio

ECHO = """
ready()
while message := read():
    if "id" in message and "method" in message:
        out(id=message["id"], result={"echo": message["method"]})
"""
NEVER_READY = "time.sleep(600)"


async def test_what_the_snapshot_knows_is_answered_though_the_engine_never_starts() -> None:
    async with scripted(NEVER_READY) as front:
        await front.request("a", "server/discover", {"_meta": META})
        assert (await front.read())["result"]["supportedVersions"] == ["2026-07-28"]
        await front.request("a", "tools/list", {"_meta": {**META, "progressToken": 7}})
        assert [tool["name"] for tool in (await front.read())["result"]["tools"]] == ["web_answer", "deep_research"]
        await front.shake_hands()
        for number, method in enumerate(("ping", "tools/list", "resources/list", "prompts/list")):
            await front.request(number, method)
            assert (await front.answer(number))["result"] is not None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("initialize", {**HELLO, "protocolVersion": "1999-12-31"}),
        ("initialize", {**HELLO, "capabilities": {"roots": 5}}),
        ("initialize", {**HELLO, "clientInfo": {"name": 7}}),
        ("initialize", {**HELLO, "more": True}),
        ("tools/list", {"cursor": "x"}),
        ("tools/list", {"_meta": {"other": 1}}),
        ("tools/list", None),
        ("tools/list", {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}}),
        ("server/discover", {"_meta": {**META, "io.modelcontextprotocol/logLevel": "debug"}}),
        ("ping", {"_meta": META}),
        ("resources/read", {"uri": "research://"}),
    ],
)
async def test_what_the_snapshot_does_not_know_is_the_engines_to_answer(method: str, params: Any) -> None:
    async with scripted(ECHO) as front:
        await front.request(1, method, params)
        assert (await front.read())["result"] == {"echo": method}


async def test_every_list_after_a_handshake_that_the_engine_answered_is_the_engines() -> None:
    async with scripted(ECHO) as front:
        await front.request(1, "initialize", {**HELLO, "protocolVersion": "1999-12-31"})
        assert (await front.read())["result"] == {"echo": "initialize"}
        await front.request(2, "tools/list")
        assert (await front.read())["result"] == {"echo": "tools/list"}


async def test_the_engine_has_the_handshake_under_an_id_that_is_not_the_hosts_and_its_answer_is_dropped() -> None:
    engine = """
ready()
hello = read()
out(id=hello["id"], result={"protocolVersion": "2025-11-25"})
read()
out(id=read()["id"], result={"hello": hello})
"""
    async with scripted(engine) as front:
        await front.shake_hands()
        await front.request(1, "tools/call")
        hello = (await front.read())["result"]["hello"]
        assert hello["id"] != 1
        assert hello["params"] == HELLO
        assert front.process.stderr is not None
        with anyio.fail_after(10):
            assert b"restart the host" in await front.process.stderr.receive()


async def test_ping_is_the_engines_once_it_is_ready() -> None:
    async with scripted(ECHO) as front:
        await front.shake_hands()
        await front.request(2, "other")
        assert (await front.answer(2))["result"] == {"echo": "other"}
        await front.request(3, "ping")
        assert (await front.answer(3))["result"] == {"echo": "ping"}


async def test_requests_of_the_engine_may_have_the_ids_of_the_hosts() -> None:
    engine = """
ready()
read()
out(id=1, method="roots/list")
out(id="1", method="roots/list")
answers = [read(), read()]
out(id="1", result={"answers": answers})
out(id=1, result={"first": True})
os._exit(1)
"""
    async with scripted(engine) as front:
        await front.request(1, "first")
        for number in (1, "1"):
            assert await front.read() == {"jsonrpc": "2.0", "id": number, "method": "roots/list"}
        await front.request("1", "second")
        await front.write({"jsonrpc": "2.0", "id": 1, "result": {"roots": []}})
        second = (await front.read())["result"]["answers"]
        assert [message["id"] for message in second] == ["1", 1]
        # Both calls have been answered, so the engine's end causes no other response.
        assert await front.read() == {"jsonrpc": "2.0", "id": 1, "result": {"first": True}}
        await front.stdin.aclose()
        assert await front.silence() == b""


async def test_a_request_that_is_cancelled_before_the_engine_is_ready_never_reaches_it() -> None:
    engine = """
time.sleep(0.5)
ready()
while message := read():
    out(id=message["id"], result={"method": message["method"]})
"""
    async with scripted(engine) as front:
        await front.request(1, "tools/call", {"name": "web_answer"})
        await front.request("1", "other")
        await front.send("notifications/cancelled", {"requestId": 1})
        assert await front.read() == {"jsonrpc": "2.0", "id": "1", "result": {"method": "other"}}
        await front.request(2, "last")
        assert (await front.read())["id"] == 2


async def test_a_cancellation_is_passed_on_once_the_engine_has_the_request() -> None:
    engine = """
ready()
request = read()
out(method="notifications/progress")
out(id="x", result={"got": read()})
"""
    async with scripted(engine) as front:
        await front.request(1, "tools/call")
        assert (await front.read())["method"] == "notifications/progress"
        await front.send("notifications/cancelled", {"requestId": 1})
        assert (await front.read())["result"]["got"]["params"] == {"requestId": 1}


async def test_lines_of_ten_megabytes_pass_both_ways_whole() -> None:
    async with scripted("ready()\nmessage = read()\nout(id=1, result=message['params'])\nread()") as front:
        text = 'é\\"' * 2_500_000
        await front.request(1, "large", {"text": text})
        with anyio.fail_after(60):
            line = await front.lines.receive_until(b"\n", 100_000_000)
        assert json.loads(line)["result"] == {"text": text}


async def test_full_pipes_both_ways_lose_nothing_and_block_nobody_for_ever() -> None:
    """The host writes 30 MB before it reads the first byte of the same amount."""
    engine = """
ready()
for number in range(300):
    message = read()
    out(id=message["id"], result=message["params"])
read()
"""
    async with scripted(engine) as front:
        text = "x" * 100_000
        with anyio.fail_after(120):
            for number in range(300):
                await front.request(number, "large", {"text": text})
            for number in range(300):
                message = json.loads(await front.lines.receive_until(b"\n", 1_000_000))
                assert (message["id"], message["result"]["text"]) == (number, text)


async def test_the_end_of_input_is_seen_though_the_engine_reads_nothing_and_nobody_reads_what_it_writes() -> None:
    engine = "ready()\nos.write(1, b'{\"method\": \"' + b'x' * 5_000_000 + b'\"}\\n')\ntime.sleep(600)"
    async with scripted(engine) as front:
        for number in range(20):
            await front.request(number, "large", {"text": "x" * 100_000})
        await front.request("p", "ping")
        await front.stdin.aclose()
        with anyio.fail_after(10):
            assert await front.process.wait() == 0


async def test_what_nobody_reads_of_stderr_holds_nobody_up() -> None:
    engine = "ready()\nfor _ in range(200):\n    os.write(2, b'e' * 100_000)\nout(id=read()['id'], result={})\nread()"
    async with scripted(engine) as front:
        await front.request(1, "other")
        with anyio.fail_after(60):
            assert await front.read() == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_stderr_that_is_read_arrives() -> None:
    async with scripted("os.write(2, b'a word\\n')\n" + ECHO) as front:
        assert front.process.stderr is not None
        with anyio.fail_after(10):
            assert await front.process.stderr.receive() == b"a word\n"


async def test_a_line_that_is_no_json_is_the_engines_to_answer() -> None:
    engine = "ready()\nos.write(1, sys.stdin.buffer.readline().replace(b'no', b'\"no\"'))\nread()"
    async with scripted(engine) as front:
        await front.stdin.send(b"no\n")
        with anyio.fail_after(10):
            assert await front.lines.receive_until(b"\n", 100) == b'"no"'


DYING = """
ready()
while True:
    message = read()
    seen = globals().setdefault("seen", [])
    seen.append(message)
    if message.get("method") == "die":
        os.write(1, b'{"half": "a li')
        os._exit(9)
    if message.get("method") == "seen":
        out(id=message["id"], result={"seen": [each["method"] for each in seen]})
"""


async def test_an_engine_that_died_is_replaced_and_its_calls_are_answered_and_never_sent_again() -> None:
    async with scripted(DYING) as front:
        await front.shake_hands()
        for number, tool in (("r", "deep_research"), ("w", "web_answer")):
            await front.request(number, "tools/call", {"name": tool, "arguments": {"question": "Why?"}})
        await front.request("l", "resources/read", {"uri": "research://"})
        await front.request("d", "die")
        answers = {message["id"]: message for message in [await front.read() for _ in range(4)]}
        for number, tool in (("r", "deep_research"), ("w", "web_answer")):
            result = answers[number]["result"]
            assert result["isError"]
            assert "resultType" not in result
            assert "may have been billed" in result["content"][0]["text"]
            assert f"Call {tool} again" in result["content"][0]["text"]
        assert answers["l"]["error"]["code"] == -32603
        # The next engine gets the handshake, and none of the first one's calls.
        await front.request("s", "seen")
        assert (await front.read())["result"]["seen"] == ["initialize", "notifications/initialized", "seen"]


async def test_a_call_of_the_modern_era_that_died_with_its_engine_is_answered_as_that_era_wants() -> None:
    async with scripted(DYING) as front:
        await front.request(1, "tools/call", {"name": "web_answer", "arguments": {}, "_meta": META})
        await front.request(2, "die")
        result = (await front.answer(1))["result"]
        assert (result["isError"], result["resultType"]) == (True, "complete")


async def test_an_engine_that_cannot_start_is_said_with_its_last_words_and_the_lists_are_still_there() -> None:
    engine = "os.write(2, b'a warning\\nThe file is broken: mend it.\\n')\nos._exit(1)"
    async with scripted(engine) as front:
        await front.shake_hands()
        for number in (2, 3):
            await front.request(number, "tools/call", {"name": "web_answer", "arguments": {}})
            text = (await front.answer(number))["result"]["content"][0]["text"]
            assert "could not start" in text
            assert text.endswith("The file is broken: mend it.")
            assert "nothing is billed" in text
        await front.request(4, "tools/list")
        assert len((await front.answer(4))["result"]["tools"]) == 2


async def test_an_engine_of_another_version_is_refused_and_gets_nothing(tmp_path: Path) -> None:
    engine = "ready('99.0')\nmessage = read()\nopen(sys.argv[2], 'w').write(str(message))\nout(id=1, result={})"
    seen = anyio.Path(tmp_path / "seen")
    async with scripted(engine, str(seen)) as front:
        for number in (1, 2):
            await front.request(number, "tools/call", {"name": "web_answer", "arguments": {}})
            result = (await front.answer(number))["result"]
            assert result["isError"]
            assert "restart the host" in result["content"][0]["text"]
            assert "99.0" in result["content"][0]["text"]
            assert Snapshot().version in result["content"][0]["text"]
    assert not await seen.exists()


async def test_what_is_printed_while_the_engine_starts_is_not_taken_for_a_message() -> None:
    async with scripted("print('some library says hello', flush=True)\n" + ECHO) as front:
        await front.request(1, "other")
        assert (await front.read())["result"] == {"echo": "other"}


async def test_lists_are_answered_to_input_that_ends_at_once_and_has_no_last_newline() -> None:
    async with scripted(NEVER_READY) as front:
        await front.request(1, "initialize", HELLO)
        await front.stdin.send(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).encode())
        await front.stdin.aclose()
        lines = (await front.silence()).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [1, 2]
        assert await front.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_a_signal_ends_the_front_at_once_with_both_pipes_closed_though_the_engine_stays(
    number: signal.Signals,
) -> None:
    async with scripted("ready()\nsys.stdin.buffer.read()\ntime.sleep(3)", "stays") as front:
        await front.shake_hands()
        front.process.send_signal(number)
        assert await front.silence() == b""
        assert await front.process.wait() == (-9 if number == signal.SIGKILL else 0)


async def test_a_host_that_reads_no_more_ends_the_front() -> None:
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "parallel_mcp"]
    environment = {"PARALLEL_MCP_STORE": "memory:"}
    async with await anyio.open_process(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        os.close(ours)
        assert process.stdin is not None
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
        await process.stdin.send(json.dumps(message).encode() + b"\n")
        with anyio.fail_after(10):
            assert await process.wait() == 0


async def test_the_front_ends_with_the_launcher_that_is_killed_though_the_pipe_stays_open() -> None:
    """The launcher passes its pipes on and waits. The test keeps them open."""
    launcher = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-m', 'parallel_mcp'])\ntime.sleep(600)"
    process = await anyio.open_process([sys.executable, "-c", launcher], env={"PARALLEL_MCP_STORE": "memory:"})
    async with process:
        front = Front(process)
        await front.shake_hands()
        process.kill()
        assert await front.silence() == b""


async def test_the_engine_has_no_descriptor_of_the_hosts() -> None:
    engine = """
ready()
links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
out(id=read()["id"], result={"open": [os.readlink(link) for link in links if os.path.lexists(link)]})
read()
"""
    async with scripted(engine) as front:
        await front.request(1, "other")
        open_there = set((await front.read())["result"]["open"])
        ours = {os.readlink(f"/proc/{front.process.pid}/fd/{number}") for number in (0, 1, 2)}
        assert len(ours) == 3
        assert not ours & open_there


async def test_a_descriptor_that_does_not_block_is_read_and_written_like_any_other() -> None:
    import socket

    host, ours = socket.socketpair()
    with host, ours:
        host.setblocking(False)
        process = await anyio.open_process(
            [sys.executable, "-m", "parallel_mcp"],
            stdin=host.fileno(),
            stdout=host.fileno(),
            env={"PARALLEL_MCP_STORE": "memory:"},
        )
        async with process:
            host.close()
            message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}

            def talk() -> bytes:
                ours.settimeout(20)
                ours.sendall(json.dumps(message).encode() + b"\n")
                return ours.recv(100_000)

            answer = await anyio.to_thread.run_sync(talk)
            ours.shutdown(socket.SHUT_WR)
            with anyio.fail_after(10):
                assert await process.wait() == 0
    assert json.loads(answer)["id"] == 1
