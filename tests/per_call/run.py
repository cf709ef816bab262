"""One request per question, whatever the framework does: `python -m tests.per_call.run [--seconds 8 70] [FRAMEWORK]...`

Four start a server for each call. The last two give up on a call after 5 s and may lose one; two on a machine so busy
that the engine takes 5 s to start. Each runs twice, with an endpoint of the tests and with `--sandbox`. Installs the
newest release of each framework into its own folder. Not part of the tests, because it takes minutes and a package
registry.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio

from tests.support.fronts import engines_gone
from tests.support.upstream import Received, answered, upstream_running

PROGRAMS = Path(__file__).parent / "programs"
INSTALLED = Path(tempfile.gettempdir()) / "parallel-mcp-examples"
FRAMEWORKS = {
    "langchain": ["langchain-mcp-adapters"],
    "llamaindex": ["llama-index-core", "llama-index-tools-mcp"],
    "ag2": ["ag2[mcp,openai]"],
    "crewai": ["crewai", "crewai-tools[mcp]"],
    "openai_agents": ["openai-agents"],
    "google_adk": ["google-adk[mcp]"],
}
QUESTION = "What happens when a replica is killed?"
AT_ONCE = 2

SLOW = """
import os, sys
if "engine" in sys.orig_argv:
    from parallel_mcp.sandbox.app import _Chat
    def pauses(self, model):
        with open(os.environ["REQUESTS"], "a") as file:
            file.write(model + "\\n")
        return float(os.environ["SECONDS_A_REQUEST"]), 0.0
    _Chat._pauses = pauses
"""
"""A sitecustomize.py that slows down the sandbox inside an engine and records its requests."""


def _install(framework: str) -> None:
    python = INSTALLED / framework / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *FRAMEWORKS[framework]], check=True)


async def _asked(framework: str, seconds: float, *, sandbox: bool) -> str:
    """What went wrong. Empty if one request brought the answer."""
    async with upstream_running() as upstream:
        upstream.reply = _after(seconds)
        with tempfile.TemporaryDirectory() as folder:
            server = [sys.executable, "-m", "parallel_mcp", *(["--sandbox"] if sandbox else [])]
            program = [str(INSTALLED / framework / "bin" / "python"), str(PROGRAMS / f"with_{framework}.py"), QUESTION]
            environment = _environment(folder, upstream.url, seconds, sandbox=sandbox)
            with anyio.fail_after(seconds + 300):
                done = await anyio.run_process([*program, *server], env=environment, check=False)
                await engines_gone(environment["PARALLEL_MCP_STORE"], seconds + 60)
            requests = _sandbox_requests(folder) if sandbox else len(upstream.received)
        name = f"{framework:13} {seconds:4.0f} s  {'sandbox' if sandbox else 'Chat API'}"
        return _faults(name, requests, done.stdout.decode(), done.stderr.decode())


def _environment(folder: str, url: str, seconds: float, *, sandbox: bool) -> dict[str, str]:
    """The program's environment, which it passes on to the server."""
    given = {
        **os.environ,
        "PARALLEL_API_KEY": "k",
        "PARALLEL_BASE_URL": url,
        "PARALLEL_MCP_STORE": f"{folder}/research.sqlite3",
        "OPENAI_API_KEY": "none",
    }
    if not sandbox:
        return given
    Path(folder, "sitecustomize.py").write_text(SLOW, "utf-8")
    return {**given, "PYTHONPATH": folder, "REQUESTS": f"{folder}/requests", "SECONDS_A_REQUEST": str(seconds)}


def _sandbox_requests(folder: str) -> int:
    return len(Path(folder, "requests").read_text("utf-8").splitlines())


def _after(seconds: float):  # type: ignore[no-untyped-def]
    async def reply(received: Received):  # type: ignore[no-untyped-def]
        await anyio.sleep(seconds)
        return answered(received)

    return reply


def _faults(name: str, requests: int, printed: str, said: str) -> str:
    try:
        result = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):
        return f"{name:34} it printed no result: {printed[-500:]} {said[-1500:]}"
    calls, lost = result["calls"], result["lost"]
    print(f"{name:34} calls {calls:2}  given up {lost}  requests {requests}", flush=True)
    last = result["texts"][-1]
    if "Sources:" not in last:
        return f"{name:34} no answer: {last[:500]}"
    return "" if requests == 1 and lost <= 1 else f"{name:34} {requests} requests, {lost} calls given up"


async def _main(frameworks: list[str], seconds: list[float]) -> int:
    failed = 0
    free = anyio.CapacityLimiter(AT_ONCE)

    async def one(framework: str, each: float, sandbox: bool) -> None:
        nonlocal failed
        async with free:
            if fault := await _asked(framework, each, sandbox=sandbox):
                failed = 1
                print(f"FAILED  {fault}", flush=True)

    for framework in frameworks:
        _install(framework)
    async with anyio.create_task_group() as group:
        for each in seconds:
            for framework in frameworks:
                for sandbox in (False, True):
                    group.start_soon(one, framework, each, sandbox)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frameworks", nargs="*", default=list(FRAMEWORKS))
    parser.add_argument("--seconds", nargs="+", type=float, default=[8, 70])
    given = parser.parse_args()
    sys.exit(anyio.run(_main, given.frameworks, given.seconds))
