"""What a host starts if uv ran `parallel-mcp install`: never a path in uv's cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bundles import ROOT


def test_a_host_is_not_pointed_into_the_cache_that_uvx_runs_from(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    uvx = shutil.which("uvx", path=path)
    assert uvx is not None
    environ = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    environ |= {"HOME": str(tmp_path), "PATH": path}
    command = [uvx, "--quiet", "--from", str(ROOT), "parallel-mcp", "install", "cursor"]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads((tmp_path / ".cursor" / "mcp.json").read_text("utf-8"))["mcpServers"].values()
    assert [entry["command"], *entry["args"]] == [uvx, "--from", str(ROOT), "parallel-mcp"]
