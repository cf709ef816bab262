"""The bundle for Claude Desktop, packed by the real command, unpacked elsewhere, and called."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.bundles import NODE, ROOT

pytestmark = pytest.mark.anyio

MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "parallel-mcp.mcpb"
    for command in (["validate", "manifest.json"], ["pack", ".", str(path)]):
        done = subprocess.run([NODE / "mcpb", *command], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    return path


def test_it_is_small_and_holds_what_runs_and_nothing_else(bundle: Path) -> None:
    assert bundle.stat().st_size < MAX_BYTES
    names = {name for name in zipfile.ZipFile(bundle).namelist() if not name.startswith("parallel_mcp/")}
    assert names == {"manifest.json", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    listed = subprocess.run(["git", "ls-files", "parallel_mcp"], cwd=ROOT, capture_output=True, text=True, check=True)
    packed = {name for name in zipfile.ZipFile(bundle).namelist() if name.startswith("parallel_mcp/")}
    assert packed <= set(listed.stdout.split()), "nothing that is not in git"


async def test_it_answers_a_call_where_it_was_unpacked(bundle: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "extension", tmp_path / "home"
    zipfile.ZipFile(bundle).extractall(folder)
    home.mkdir()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    started = manifest["server"]["mcp_config"]
    # What Claude Desktop fills in: the folder and the user's answers, one of which is to try the sandbox.
    filled = {"__dirname": str(folder), "user_config.api_key": "", "user_config.sandbox": "true"}
    uv = shutil.which(started["command"], path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert uv is not None
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], **_filled(started["env"], filled)}
    environ |= {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    server = StdioServerParameters(command=uv, args=_filled(started["args"], filled), env=environ, cwd=home)
    with anyio.fail_after(300):
        async with Client(stdio_client(server)) as client:
            result = await client.call_tool("web_answer", {"question": "What does the with statement do?"})
    assert not result.is_error, result.content
    assert (result.structured_content or {})["content"]


def _filled(what: Any, values: dict[str, str]) -> Any:
    text = json.dumps(what)
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    return json.loads(text)
