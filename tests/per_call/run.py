"""`python -m tests.per_call.run [--seconds 8 70] [FRAMEWORK]...`: one request a question, whatever the framework does.

Installs the newest release of each framework into a folder of its own. Not part of the tests: it takes minutes and a
package registry.
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
from tests.support.upstream import Received, Upstream, answered, upstream_running

PROGRAMS = Path(__file__).parent / "programs"
INSTALLED = Path(tempfile.gettempdir()) / "parallel-mcp-examples"
FRAMEWORKS = {
    "langchain": ["langchain-mcp-adapters"],
    "llamaindex": ["llama-index-core", "llama-index-tools-mcp"],
    "ag2": ["ag2[mcp,openai]"],
    "crewai": ["crewai", "crewai-tools[mcp]"],
}
QUESTION = "Why is the sky blue?"


def _installed(framework: str) -> Path:
    python = INSTALLED / framework / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *FRAMEWORKS[framework]], check=True)
    return python


async def _asked(framework: str, seconds: float) -> str:
    """What is wrong; empty where the answer came with one request."""
    python = await anyio.to_thread.run_sync(_installed, framework)
    async with upstream_running() as upstream:
        upstream.reply = _after(seconds)
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder, "research.sqlite3")
            environment = {
                **os.environ,
                "PARALLEL_API_KEY": "k",
                "PARALLEL_BASE_URL": upstream.url,
                "PARALLEL_MCP_STORE": str(store),
                "OPENAI_API_KEY": "none",
            }
            server = [sys.executable, "-m", "parallel_mcp"]
            program = [str(python), str(PROGRAMS / f"with_{framework}.py"), QUESTION, *server]
            with anyio.fail_after(seconds + 300):
                done = await anyio.run_process(program, env=environment, check=False)
                await engines_gone(store, seconds + 60)
        return _faults(upstream, done.stdout.decode(), done.stderr.decode(), framework, seconds)


def _after(seconds: float):  # type: ignore[no-untyped-def]
    async def reply(received: Received):  # type: ignore[no-untyped-def]
        await anyio.sleep(seconds)
        return answered(received)

    return reply


def _faults(upstream: Upstream, printed: str, said: str, framework: str, seconds: float) -> str:
    try:
        result = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError):
        return f"it printed no result: {printed[-500:]} {said[-1500:]}"
    requests = len(upstream.received)
    print(f"{framework:12} {seconds:4.0f} s  calls {result['calls']:2}  requests {requests}", flush=True)
    last = result["texts"][-1]
    if "An answer to" not in last:
        return f"no answer: {last[:500]}"
    return "" if requests == 1 else f"{requests} requests"


async def _main(frameworks: list[str], seconds: list[float]) -> int:
    failed = 0
    for framework in frameworks:
        for each in seconds:
            fault = await _asked(framework, each)
            if fault:
                failed = 1
                print(f"{framework:12} {each:4.0f} s  FAILED  {fault}", flush=True)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frameworks", nargs="*", default=list(FRAMEWORKS))
    parser.add_argument("--seconds", nargs="+", type=float, default=[8, 70])
    given = parser.parse_args()
    sys.exit(anyio.run(_main, given.frameworks, given.seconds))
