"""The command line, as a process."""

import os
import subprocess
import sys
from pathlib import Path


def run(tmp_path: Path, *args: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "parallel_mcp", *args]
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        command,
        env={**environment_of(tmp_path), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **given,
    )


def environment_of(tmp_path: Path) -> dict[str, str]:
    """As little as a program needs, with its own home folder, and coverage if that is measured."""
    coverage = {name: value for name, value in os.environ.items() if name == "COVERAGE_PROCESS_CONFIG"}
    return {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "PATH": os.environ["PATH"], **coverage}
