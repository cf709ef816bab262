"""`parallel-mcp install` with the real hosts: their own commands, from npm, connect to what it wrote."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from parallel_mcp.hosts.documents import read, value
from parallel_mcp.hosts.places import Machine, configuration
from parallel_mcp.hosts.table import HOSTS, Host

HERE = Path(__file__).parent
NODE = Path(os.environ.get("HOSTS_NODE_DIR") or HERE) / "node_modules" / ".bin"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are started as on POSIX")

LISTS = {
    "claude-code": ["claude", "mcp", "list"],
    "gemini-cli": ["gemini", "mcp", "list"],
    "qwen-code": ["qwen", "mcp", "list"],
    "opencode": ["opencode", "mcp", "list"],
}
COMMANDS = {"claude-code", "codex", "gemini-cli", "qwen-code"}


def _host(host_id: str) -> Host:
    (one,) = (host for host in HOSTS if host.id == host_id)
    return one


def _environ(home: Path) -> dict[str, str]:
    """A separate home, with the hosts and the programs that they start on PATH, and no key."""
    node = shutil.which("node")
    assert node is not None
    return {
        "HOME": str(home),
        "PATH": f"{NODE}:{Path(node).parent}:/usr/bin:/bin",
        "TERM": "dumb",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def _told(home: Path, *command: str) -> str:
    done = subprocess.run(
        command, env=_environ(home), cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def _install(home: Path, *arguments: str) -> str:
    return _told(home, sys.executable, "-m", "parallel_mcp", "install", *arguments)


def _connected(home: Path, host_id: str) -> bool:
    """Whether the host's own command reports that it connected."""
    if host_id == "codex":
        return "web_answer" in _codex_status(home)
    line = next((line for line in _told(home, *LISTS[host_id]).splitlines() if "parallel" in line), "")
    return "connected" in line.lower() and "✗" not in line


def _codex_status(home: Path) -> dict[str, Any]:
    """The tools that Codex found. Its `mcp list` prints the configuration without connecting."""
    with subprocess.Popen(
        ["codex", "app-server"],
        env=_environ(home),
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin and server.stdout
        for message in (
            {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}},
            {"method": "initialized"},
            {"id": 1, "method": "mcpServerStatus/list", "params": {}},
        ):
            server.stdin.write(json.dumps(message) + "\n")
            server.stdin.flush()
        answers = (json.loads(line) for line in server.stdout)
        servers = next(answer["result"]["data"] for answer in answers if answer.get("id") == 1)
        server.terminate()
    return next((one["tools"] for one in servers if one["name"] == "parallel"), {})


@pytest.mark.parametrize("host_id", [*LISTS, "codex"])
def test_the_host_connects_and_forgets_again(host_id: str, tmp_path: Path) -> None:
    done = _install(tmp_path, host_id)
    assert (" ran " in done) == (host_id in COMMANDS), done
    assert _connected(tmp_path, host_id)
    assert "nothing to do" in _install(tmp_path, host_id)
    _install(tmp_path, host_id, "--remove")
    host = _host(host_id)
    text = configuration(host, Machine("linux", tmp_path, {})).read_text("utf-8")
    assert not isinstance(value(read(text, host.format), (*host.servers, "parallel")), dict)
    assert not _connected(tmp_path, host_id)


@pytest.mark.parametrize("host_id", ["codex", "copilot-cli", "gemini-cli", "qwen-code"])
def test_comments_outlive_the_hosts_own_command(host_id: str, tmp_path: Path) -> None:
    host = _host(host_id)
    path = configuration(host, Machine("linux", tmp_path, {}))
    path.parent.mkdir(parents=True)
    jsonc = '{\n  // first\n  "mcpServers": {\n    "other": { "command": "x" } // last\n  }\n}\n'
    toml = '# first\n[mcp_servers.other]\ncommand = "x"\nargs = ["a"] # last\n'
    path.write_text(toml if host.format == "toml" else jsonc, "utf-8")
    assert (" ran " in _install(tmp_path, host_id)) == (host_id in COMMANDS)
    text = path.read_text("utf-8")
    assert "first" in text and "last" in text
    assert value(read(text, host.format), (*host.servers, "parallel"))


def test_claude_finds_nothing_wrong_with_the_plugin(tmp_path: Path) -> None:
    assert "Validation passed" in _told(tmp_path, "claude", "plugin", "validate", str(HERE.parents[1]))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this server over HTTP."""
    with subprocess.Popen(
        [sys.executable, "-m", "parallel_mcp", "http", "--sandbox", "--port", "0"],
        env={"HOME": str(tmp_path_factory.mktemp("home")), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        yield next(found[0] for line in server.stderr if (found := re.search(r"http://\S+/mcp", line)))
        server.terminate()


@pytest.mark.parametrize("host_id", [*LISTS, "codex"])
def test_the_host_connects_over_http(host_id: str, served: str, tmp_path: Path) -> None:
    _install(tmp_path, host_id, "--http", served)
    assert _connected(tmp_path, host_id)


# Where another installer, which many servers recommend, puts the same.
PEERS = {
    "claude-desktop": "claude-desktop",
    "claude-code": "claude-code",
    "cursor": "cursor",
    "vscode": "vscode",
    "windsurf": "windsurf",
    "codex": "codex",
    "gemini-cli": "gemini-cli",
    "goose": "goose",
    "kiro": "kiro-cli",
    "cline": "cline",
    "cline-cli": "cline-cli",
    "copilot-cli": "github-copilot-cli",
    "zed": "zed",
    "opencode": "opencode",
}


@pytest.mark.skipif(sys.platform == "darwin", reason="its place for Zed on a Mac is not the one that Zed reads")
@pytest.mark.parametrize("host_id", PEERS)
def test_another_installer_writes_the_same_members_to_the_same_file(host_id: str, tmp_path: Path) -> None:
    program = _install(tmp_path, host_id, "--dry-run") and str(Path(sys.executable).with_name("parallel-mcp"))
    peer = tmp_path / "peer"
    peer.mkdir()
    _told(peer, "add-mcp", program, "--name", "parallel", "--env", "A=b", "-g", "-y", "-a", PEERS[host_id])
    _install(tmp_path, host_id)
    host = _host(host_id)
    own, others = (configuration(host, Machine("linux", home, {})) for home in (tmp_path, peer))
    assert others.relative_to(peer).parent == own.relative_to(tmp_path).parent
    mine, theirs = (
        value(_plain(path), (*host.servers, "parallel")) for path in (own, next(others.parent.glob(f"{others.stem}.*")))
    )
    assert isinstance(mine, dict) and isinstance(theirs, dict)
    for name in (host.entry.command, host.entry.args or host.entry.command):
        assert mine[name] == theirs[name]
    optional = {"disabled", host.entry.env, "timeout", "description", "type"}
    assert {name: found for name, found in theirs.items() if name not in optional} == {
        name: mine.get(name) for name in theirs if name not in optional
    }


def _plain(path: Path) -> Any:
    """Read it with plain libraries, not with the code that wrote it."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return tomllib.loads(text)
    return YAML(typ="safe", pure=True).load(text) if path.suffix == ".yaml" else json.loads(text)
