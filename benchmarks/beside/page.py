"""Describes how figures were measured, and writes them to a page."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.beside.table import Server


def circumstances(servers: list[Server], module: str) -> str:
    """The day, the machine, the versions and the command."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    cores = len(os.sched_getaffinity(0))
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    releases = ", ".join(f"{server.title} {server.release()}".strip() for server in servers if server.name != "bare")
    command = " ".join(["python -m", module, *sys.argv[1:]])
    return (
        f"{datetime.now(UTC):%-d %B %Y}, {model[1] if model else platform.machine()}, {cores} cores, "
        f"Python {platform.python_version()}, Node {node.removeprefix('v')}; {releases}.\n\n```bash\n{command}\n```"
    )


def has(page: Path, name: str) -> bool:
    """Whether the page has markers of that name."""
    return f"<!-- {name} -->" in page.read_text("utf-8")


def write(page: Path, name: str, text: str) -> None:
    """Write the text between the page's markers of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begun, rest = page.read_text("utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        sys.exit(f"{page} has no {begin} and {end} to write between")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
