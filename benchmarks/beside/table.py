"""The servers in `servers.toml`, and how to start them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = Path(tempfile.gettempdir()) / "parallel-mcp-beside"


@dataclass(frozen=True)
class Tool:
    """How to ask a question. `polls` if the server fetches answers only every few seconds."""

    tool: str
    arguments: dict[str, Any]
    polls: bool = False

    def call(self, question: str) -> dict[str, Any]:
        """The parameters of tools/call."""
        arguments = json.loads(json.dumps(self.arguments).replace("{question}", question))
        return {"name": self.tool, "arguments": arguments}


@dataclass(frozen=True, eq=False)
class Server:
    """One row of the table."""

    name: str
    title: str
    stdio: list[str]
    http: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    answer: Tool | None = None
    research: Tool | None = None
    npm: list[str] = field(default_factory=list)
    distribution: str | None = None
    patch: dict[str, Any] = field(default_factory=dict)
    script: str | None = None

    def tool(self, kind: str) -> Tool | None:
        """The tool for `answer` or `research`, or None if the server has none."""
        tool: Tool | None = getattr(self, kind)
        return tool

    def command(self, transport: str, **places: str) -> tuple[list[str], dict[str, str]]:
        """What to run, and its environment."""
        fixed = {
            **{"python": sys.executable, "bin": str(Path(sys.executable).parent), "here": str(HERE)},
            **{"npm": str(PACKAGES / self.name), "patched": str(self._patched(places["stub"])), **places},
        }
        words = [_fill(word, fixed) for word in (self.stdio if transport == "stdio" else self.http)]
        env = {name: _fill(value, fixed) for name, value in self.env.items()}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return words, {**kept, **env}

    def release(self) -> str:
        """The version that is measured."""
        if self.npm:
            package = json.loads((PACKAGES / self.name / "node_modules" / self.npm[0] / "package.json").read_text())
            return str(package["version"])
        return version(self.distribution or "parallel-mcp") if self.name != "bare" else ""

    def prepare(self, stub: str) -> None:
        """Install what it needs, unless it is there already, and point it at the stub."""
        folder = PACKAGES / self.name
        if self.npm and not (folder / "node_modules" / self.npm[0]).exists():
            folder.mkdir(parents=True, exist_ok=True)
            quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error"]
            subprocess.run(["npm", "install", "--prefix", str(folder), *quiet, *self.npm], check=True)
        if self.script:
            shutil.copy(HERE / "servers" / self.script, folder / self.script)
        if self.patch:
            text = (folder / self.patch["file"]).read_text("utf-8")
            for address in self.patch["addresses"]:
                if address not in text:
                    sys.exit(f"{self.name}: {address} is not in {self.patch['file']} any more; see servers.toml")
                text = text.replace(address, stub)
            self._patched(stub).write_text(text, "utf-8")

    def clean(self, stub: str) -> None:
        """Remove the copy that was made for this stub."""
        if self.patch:
            self._patched(stub).unlink(missing_ok=True)

    def _patched(self, stub: str) -> Path:
        file: Path = PACKAGES / self.name / self.patch.get("file", "")
        return file.with_name(f"{file.stem}.{stub.rpartition(':')[2]}{file.suffix}")


def _fill(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def read(file: Path = HERE / "servers.toml") -> dict[str, Server]:
    """Every server by name, in the table's order."""
    rows = tomllib.loads(file.read_text("utf-8"))
    servers = {}
    for name, row in rows.items():
        tools = {kind: Tool(**row[kind]) for kind in ("answer", "research") if kind in row}
        servers[name] = Server(name=name, **{**row, **tools})
    return servers
