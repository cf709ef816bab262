"""Hours of heavy use in minutes: python -m benchmarks.soak [--minutes 10] [--callers 200]

Three processes on this machine: the sandbox, which fails a tenth of the requests in some way; the server, which is
`parallel-mcp http`; and this one, whose callers use both tools in both eras and hang up at random. Each question has
one right answer, a made-up name, so that an answer to another question is noticed.

Prints the calls by outcome, and the server's open connections, tasks, file descriptors and memory after warming up, in
the middle and at the end. The exit status is 1 if an answer was wrong or lost, the log shows something unexpected,
anything is still open, or memory grew by more than a tenth in the second half. Needs Linux, for /proc.
"""

import argparse
import hashlib
import json
import os
import random
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

FAULTS = {
    **{"429": 0.02, "500": 0.02, "503": 0.02, "402": 0.003},
    **{"reset": 0.01, "cut": 0.01, "bad-json": 0.005, "html": 0.005, "slow": 0.005, "hang": 0.002},
}
HARBOURS = 500
HANG_UPS = 0.05
WAIT_SECONDS = 20
SETTLE_SECONDS = 30.0
PAUSE_SECONDS = 1.0
SPARE = 2  # descriptors: the connections of the last two questions
MOST_GROWTH = 0.10
NEVER_SAID = ("Error executing tool", "pydantic", "failed unexpectedly", "Traceback")
NEVER_LOGGED = ("unexpected", "Traceback", "Task exception", "never retrieved", "ResourceWarning")


# Questions


@dataclass(frozen=True, slots=True)
class Harbour:
    """A place with a made-up name: the answer to a question about it."""

    place: str
    name: str

    @classmethod
    def of(cls, number: int) -> "Harbour":
        """The harbour of this number, always the same."""
        letters = [chr(97 + int(digit, 16)) for digit in hashlib.sha256(f"harbour {number}".encode()).hexdigest()]
        return cls("".join(letters[:10]).capitalize(), "".join(letters[10:20]).capitalize())

    def question(self, number: int) -> str:
        """A question, never the same for two numbers, so that only calls that should join do."""
        return f"What is the harbour of {self.place} named? (number {number})"


def _corpus(folder: Path) -> list[Harbour]:
    """Write a document per harbour, for the sandbox to answer from."""
    harbours = [Harbour.of(number) for number in range(HARBOURS)]
    for harbour in harbours:
        text = f"# {harbour.place}\n\nThe harbour of {harbour.place} is named {harbour.name}.\n"
        (folder / f"{harbour.place}.md").write_text(text, "utf-8")
    return harbours


# The processes


@dataclass(frozen=True, slots=True)
class State:
    """What a server holds at one moment. Memory is in MiB."""

    connections: int
    tasks: int
    descriptors: int
    memory: float
    names: tuple[str, ...]

    def __str__(self) -> str:
        """A line for the table."""
        return f"{self.connections:5} connections {self.tasks:5} tasks {self.descriptors:5} descriptors" + (
            f" {self.memory:8.1f} MiB"
        )


@dataclass
class Server:
    """`parallel-mcp http` as a process that reports its tasks on SIGUSR1."""

    process: "subprocess.Popen[bytes]"
    port: int
    on_progress: Path

    async def state(self) -> State:
        """What it holds now."""
        self.on_progress.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        with anyio.fail_after(30):
            while not self.on_progress.exists():
                await anyio.sleep(0.02)
        return self._held(tuple(json.loads(self.on_progress.read_text("utf-8"))))

    def _held(self, names: tuple[str, ...]) -> State:
        targets = [_target(entry) for entry in Path(f"/proc/{self.process.pid}/fd").iterdir()]
        memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text("utf-8"))
        assert memory is not None
        sockets = sum(target.startswith("socket:") for target in targets)
        return State(sockets, len(names), len(targets), int(memory[1]) / 1024, names)

    async def settled(self, asking: "Callers", like: State) -> State:
        """What it holds once that is no more than before, or after waiting long enough for it."""
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            # Expired connections of a burst are closed at the next question, whatever its outcome.
            await asking.ask_in_vain()
            await anyio.sleep(PAUSE_SECONDS)
            now = await self.state()
            if (now.tasks <= like.tasks and now.descriptors <= like.descriptors + SPARE) or time.monotonic() > until:
                return now


def _target(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except OSError:
        return ""


def _serve(on_progress: Path, arguments: list[str]) -> None:
    """The command itself in this process, with a signal handler that reports its tasks."""
    import asyncio

    from parallel_mcp.cli.group import main

    def tell(*_: object) -> None:
        names = sorted(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
        half = on_progress.with_suffix(".half")
        half.write_text(json.dumps(names), "utf-8")
        half.rename(on_progress)

    signal.signal(signal.SIGUSR1, tell)
    main(arguments, prog_name="parallel-mcp")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: list[str], port: int, log: Path, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One of our processes, once its port answers. Its stderr goes to a file."""
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr, env={**os.environ, **env}) as process:
        try:
            while process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            if process.returncode is not None:
                sys.exit(f"{' '.join(command)} ended with {process.returncode}: {log.read_text('utf-8')}")
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


@contextmanager
def _running(folder: Path) -> Iterator[tuple[Server, list[Harbour]]]:
    """The sandbox and the server."""
    corpus = folder / "corpus"
    corpus.mkdir()
    harbours = _corpus(corpus)
    upstream, port, on_progress = _free_port(), _free_port(), folder / "told.json"
    faults = [f"--fault={kind}@{rate}" for kind, rate in FAULTS.items()]
    sandbox = [sys.executable, "-m", "parallel_mcp", "sandbox", "--port", str(upstream), "--corpus", str(corpus)]
    server = [sys.executable, __file__, "--serve", str(on_progress), "--", "http", "--port", str(port)]
    server += ["--store", str(folder / "research.sqlite3"), "--wait-seconds", str(WAIT_SECONDS)]
    env = {
        "PARALLEL_API_KEY": "soak-key",
        "PARALLEL_BASE_URL": f"http://127.0.0.1:{upstream}",
        "PARALLEL_MCP_REQUESTS_PER_MINUTE": "1000000",
    }
    with (
        _process([*sandbox, "--requests-per-minute", "0", *faults], upstream, folder / "sandbox.log"),
        _process(server, port, folder / "server.log", **env) as process,
    ):
        yield Server(process, port, on_progress), harbours


# The callers


class Lost(Exception):
    """A call ended without a response."""


class Wrong(Exception):
    """An answer belongs to another question, or is not fit for a model."""


@dataclass
class Callers:
    """All callers, and the outcomes of their calls."""

    port: int
    harbours: list[Harbour]
    dice: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    async def run(self, callers: int, seconds: float) -> None:
        """Let this many callers call for this long, until each has its last answer."""
        until = time.monotonic() + seconds
        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(self._caller, until)

    async def ask_in_vain(self) -> None:
        """One question in each era, whose answers do not matter."""
        arguments = {"question": self.harbours[0].question(next(self.numbers))}
        for era in ("modern", "legacy"):
            await self._call(era, "web_answer", arguments)

    async def _caller(self, until: float) -> None:
        while time.monotonic() < until:
            try:
                await self._one()
            except Lost as error:
                self._failed("lost", error)
            except Wrong as error:
                self._failed("wrong", error)

    def _failed(self, outcome: str, error: Exception) -> None:
        self.outcomes[outcome] += 1
        self.failures.append(f"{outcome}: {error}")

    async def _one(self) -> None:
        """One question, followed to its end."""
        harbour, number = self.dice.choice(self.harbours), next(self.numbers)
        question, era = harbour.question(number), self.dice.choice(("modern", "legacy"))
        tool = self.dice.choice(("web_answer", "deep_research"))
        arguments = {"question": question} if tool == "web_answer" else {"question": question, "model": "lite"}
        began = time.monotonic()
        if self.dice.random() < HANG_UPS:
            await self._call(era, tool, arguments, hang_up=self.dice.random() * 0.5)
            self.outcomes["hung up"] += 1
            # A run that goes on without its caller is picked up by asking again.
            if tool == "web_answer" or self.dice.random() < 0.5:
                return
        result = await self._call(era, tool, arguments)
        if tool == "web_answer":
            self._judge(harbour, result, lambda structured: structured)
        else:
            await self._research(harbour, question, era, result)
        self.seconds.append(time.monotonic() - began)

    async def _research(self, harbour: Harbour, question: str, era: str, result: dict[str, Any]) -> None:
        structured = result.get("structuredContent") or {}
        while structured.get("status") == "working":
            going_on = {"research_id": structured["research_id"], "cancel": self.dice.random() < 0.5}
            result = await self._call(era, "deep_research", going_on)
            structured = result.get("structuredContent") or {}
        if structured and structured["question"] != question:
            raise Wrong(f"asked {question!r}, and got the answer to {structured['question']!r}")
        if structured.get("status") == "cancelled":
            self.outcomes["cancelled"] += 1
            return
        self._judge(harbour, result, lambda structured: structured["answer"])

    def _judge(self, harbour: Harbour, result: dict[str, Any], answer_of: Any) -> None:
        text = "".join(block.get("text", "") for block in result["content"])
        if any(words in text for words in NEVER_SAID):
            raise Wrong(text[:300])
        if result.get("isError"):
            self.outcomes["told that it failed"] += 1
            return
        answer = answer_of(result["structuredContent"])
        if harbour.name in answer["content"] and harbour.name in text:
            self.outcomes["right"] += 1
        elif answer["warnings"]:
            self.outcomes["cut short, and said so"] += 1
        else:
            raise Wrong(f"the harbour of {harbour.place} is {harbour.name}, and the answer was {text[:300]!r}")

    async def _call(
        self, era: str, tool: str, arguments: dict[str, Any], hang_up: float | None = None
    ) -> dict[str, Any]:
        """One tool call on its own connection, written by hand. With `hang_up`, only hang up after that time."""
        self.outcomes["calls"] += 1
        got = b""
        try:
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                await stream.send(_request(self.port, era, tool, arguments))
                with anyio.move_on_after(hang_up) as max_wait:
                    async for part in stream:
                        got += part
                if max_wait.cancelled_caught:
                    if self.dice.random() < 0.5:
                        linger = struct.pack("ii", 1, 0)  # a reset instead of a regular end
                        raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
                        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return {}
        except OSError as error:
            raise Lost(f"{tool}, {era}: {type(error).__name__} after {got[-200:]!r}") from error
        except anyio.BrokenResourceError as error:
            raise Lost(f"{tool}, {era}: the connection broke after {got[-200:]!r}") from error
        return _result(tool, era, got)


def _request(port: int, era: str, tool: str, arguments: dict[str, Any]) -> bytes:
    """HTTP/1.0, whose responses are not chunked and end with the connection."""
    version = "2026-07-28" if era == "modern" else "2025-11-25"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
    }
    params = {"name": tool, "arguments": arguments, **({"_meta": meta} if era == "modern" else {})}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = [
        *("POST /mcp HTTP/1.0", f"host: 127.0.0.1:{port}", "content-type: application/json"),
        *("accept: application/json, text/event-stream", f"mcp-protocol-version: {version}"),
        *("mcp-method: tools/call", f"mcp-name: {tool}", f"content-length: {len(body)}"),
    ]
    return "\r\n".join([*head, "", body]).encode()


def _result(tool: str, era: str, got: bytes) -> dict[str, Any]:
    """The result in a response, which is JSON or a stream of events."""
    head, _, body = got.partition(b"\r\n\r\n")
    lines = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")] or [body]
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if "result" in message:
            return dict(message["result"])
        if "error" in message:
            raise Wrong(f"{tool}, {era}: {message['error']}")
    raise Lost(f"{tool}, {era}: {head[:60]!r} {body[-200:]!r}")


# Everything together


async def soak(minutes: float, callers: int, seed: int) -> bool:
    """Print the results. Returns whether everything held."""
    with tempfile.TemporaryDirectory() as name, _running(Path(name)) as (server, harbours):
        asking = Callers(server.port, harbours, random.Random(seed))
        await asking.ask_in_vain()
        await anyio.sleep(PAUSE_SECONDS)
        fresh = await server.state()
        # The engine is created and the pools are filled once, for as many callers.
        await asking.run(callers, 5.0)
        warm = await server.settled(asking, fresh)
        asking.outcomes.clear()
        asking.seconds.clear()
        halves = []
        for _ in range(2):
            await asking.run(callers, minutes * 30)
            halves.append(await server.settled(asking, fresh))
        held = _told(asking, [fresh, warm, *halves], minutes, callers)
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(30)
        said = (Path(name) / "server.log").read_text("utf-8", "replace")
        unforeseen = [line for line in said.splitlines() if any(words in line for words in NEVER_LOGGED)]
        print(f"the server ended with {status}; {len(said.splitlines())} lines of log, {len(unforeseen)} unforeseen")
        print("\n".join(unforeseen[:5]))
    return held and status == 0 and not unforeseen


def _told(asking: Callers, states: list[State], minutes: float, callers: int) -> bool:
    fresh, warm, middle, end = states
    calls = asking.outcomes.pop("calls")
    print(f"{calls} calls by {callers} callers in {minutes:g} minutes; {len(asking.seconds)} questions to their end")
    for outcome, number in asking.outcomes.most_common():
        print(f"  {number:7} {outcome}")
    ranks = statistics.quantiles(asking.seconds, n=100)
    print(f"seconds a question: median {ranks[49]:.2f}, 99th percentile {ranks[98]:.2f}")
    for when, state in (("fresh", fresh), ("warm", warm), ("in the middle", middle), ("at the end", end)):
        print(f"{when:14} {state}")
    for failure in asking.failures[:5]:
        print(f"  {failure}")
    left = Counter(end.names) - Counter(fresh.names)
    if left:
        print(f"  tasks that are left: {dict(left)}")
    return (
        not asking.failures
        and end.tasks <= fresh.tasks
        and end.descriptors <= fresh.descriptors + SPARE
        and end.memory <= middle.memory * (1 + MOST_GROWTH)
    )


def main() -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve(given.serve, given.arguments)
        return 0
    return 0 if anyio.run(soak, given.minutes, given.callers, given.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
