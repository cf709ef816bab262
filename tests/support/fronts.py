"""A front as a process, with the real engine or a scripted one."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process

from tests.support.pipes import Pipe
from tests.support.upstream import Upstream

_FRONT = """
import sys
from parallel_mcp.stdio.front import Front
from parallel_mcp.stdio.snapshot import Snapshot
snapshot = Snapshot()
snapshot.choose({}, [])
Front(snapshot, [sys.executable, "-c", *sys.argv[1:]]).run()
"""

_ENGINE = """
import json, os, sys, time
def out(**message):
    os.write(1, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\\n")
def read():
    line = sys.stdin.buffer.readline()
    return json.loads(line) if line else sys.exit()
def ready(version=sys.argv[1]):
    out(method="parallel-mcp/ready", params={"version": version})
"""


RECORDER = """
import os, sys
class Recorder:
    def find_spec(self, name, path=None, target=None):
        with open(os.path.join(os.path.dirname(__file__), str(os.getpid())), "a") as file:
            file.write(name + "\\n")
sys.meta_path.insert(0, Recorder())
"""
"""A sitecustomize.py that writes the names of the modules its process loads to a file named by its pid."""


class Front(Pipe):
    """A front and the lines it writes."""

    async def request(self, number: int | str, method: str, params: Any = None) -> None:
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        await self.write(message if params is None else {**message, "params": params})

    async def write(self, message: dict[str, Any]) -> None:
        await self.stdin.send(json.dumps(message).encode() + b"\n")

    async def silence(self) -> bytes:
        """What is left in stdout, once both it and stderr are closed at the other end."""
        rest: list[bytes] = []
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(_drain, self.process.stderr, [])
                await _drain(self.lines, rest)
        return b"".join(rest)


async def _drain(stream: Any, into: list[bytes]) -> None:
    try:
        while True:
            into.append(await stream.receive())
    except anyio.EndOfStream:
        return


@asynccontextmanager
async def scripted(engine: str, *arguments: str) -> AsyncIterator[Front]:
    """A front with an engine scripted in Python, which can use `out`, `read` and `ready`."""
    from parallel_mcp.stdio.snapshot import Snapshot

    command = [sys.executable, "-c", _FRONT, _ENGINE + engine, Snapshot().version, *arguments]
    async with _running(command, dict(os.environ)) as front:
        yield front


@asynccontextmanager
async def fronted(
    upstream: Upstream,
    store: Path | str,
    *arguments: str,
    python: Sequence[str] = (sys.executable,),
    **environment: str,
) -> AsyncIterator[Front]:
    """The real front and its engine, in their own session so that a test can kill the process group.

    `python` is the interpreter, with what stands before it or its options.
    """
    given = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream.url, "PARALLEL_MCP_STORE": str(store)}
    command = [*python, "-m", "parallel_mcp", *arguments]
    async with _running(command, {**given, **environment}) as front:
        yield front


@asynccontextmanager
async def _running(command: list[str], environment: dict[str, str]) -> AsyncIterator[Front]:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process: Process = await anyio.open_process(command, env=environment, start_new_session=True, **pipes)
    async with process:
        try:
            yield Front(process)
        finally:
            if process.returncode is None:
                process.kill()


def engines(store: Path | str) -> list[int]:
    """The engine processes on this store."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"engine" in command and f"PARALLEL_MCP_STORE={store}".encode() in environment:
            found.append(int(folder.name))
    return found


async def engines_gone(store: Path | str, seconds: float = 30) -> None:
    """Wait until no engine is left on this store."""
    with anyio.fail_after(seconds):
        while engines(store):
            await anyio.sleep(0.05)


async def waited_for(store: Path, calls: int = 1) -> None:
    """Wait until so many calls, of whatever processes, are noted as waiting for runs."""
    with anyio.fail_after(30):
        while True:
            with closing(sqlite3.connect(store)) as db, db:
                if db.execute("SELECT count(*) FROM waiting").fetchone()[0] >= calls:
                    return
            await anyio.sleep(0.05)


async def research(front: Front, number: int = 2, **arguments: Any) -> dict[str, Any]:
    """The structured result of a deep_research call, whatever its text says."""
    await front.request(number, "tools/call", {"name": "deep_research", "arguments": arguments})
    return dict((await front.answer(number))["result"]["structuredContent"])
