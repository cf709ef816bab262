"""`python benchmarks/front.py [--runs 20] [--kills 1000]`: what the front costs beside the bare interpreter.

The least time until tools/list is answered and resident memory then, in both eras, interleaved with an interpreter
that only prints; then so many starts that are killed at random moments, and what is left of them.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BARE = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
BASE = "bare interpreter"
SERVER = [sys.executable, "-m", "parallel_mcp"]
PREFIX = "io.modelcontextprotocol/"
META = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}}
CLIENT = {"name": "benchmark", "version": "0"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}

LEGACY: list[tuple[str, dict[str, Any]]] = [("initialize", HELLO), ("tools/list", {})]
MODERN: list[tuple[str, dict[str, Any]]] = [("server/discover", {"_meta": META}), ("tools/list", {"_meta": META})]


def started(command: list[str], store: str) -> subprocess.Popen[bytes]:
    """The process, on a store of its own."""
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_MCP_STORE": store}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def measured(command: list[str], requests: list[tuple[str, dict[str, Any]]], store: str) -> tuple[float, float]:
    """Milliseconds until the last answer, and megabytes resident then."""
    began = time.perf_counter()
    process = started(command, store)
    assert process.stdin is not None and process.stdout is not None
    for number, (method, params) in enumerate(requests):
        line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
    if not requests:
        process.stdout.readline()
    took = (time.perf_counter() - began) * 1000
    status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    process.stdin.close()
    process.wait()
    return took, resident / 1024


def engines(store: str) -> int:
    """How many processes there are whose store this is."""
    found = 0
    for folder in Path("/proc").iterdir():
        try:
            found += f"PARALLEL_MCP_STORE={store}\0".encode() in (folder / "environ").read_bytes() + b"\0"
        except OSError:
            continue
    return found


def killed(count: int, store: str) -> tuple[int, float]:
    """How many processes are left, ten seconds at most after so many fronts were killed, and after how long none is."""
    for _ in range(count):
        process = started(SERVER, store)
        time.sleep(random.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    began = time.perf_counter()
    while engines(store) and time.perf_counter() - began < 10:
        time.sleep(0.1)
    return engines(store), time.perf_counter() - began


def main(runs: int, kills: int) -> None:
    """Print the table."""
    rows: dict[str, list[tuple[float, float]]] = {
        "bare interpreter": [],
        "front, 2025-11-25": [],
        "front, 2026-07-28": [],
    }
    cases = [(BARE, []), (SERVER, LEGACY), (SERVER, MODERN)]
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/research.sqlite3"
        for _ in range(runs):
            for row, (command, requests) in zip(rows.values(), cases, strict=True):
                row.append(measured(command, requests, store))
        base = [min(column) for column in zip(*rows[BASE], strict=True)]
        for name, row in rows.items():
            fastest, smallest = (min(column) for column in zip(*row, strict=True))
            usual = statistics.median(ms for ms, _ in row)
            more = f"({fastest - base[0]:+5.1f} ms, {smallest - base[1]:+4.1f} MB)"
            print(f"{name:18} {fastest:6.1f} ms, usually {usual:6.1f}  {smallest:5.1f} MB {more}")
        left, seconds = killed(kills, store)
        print(f"{kills} starts killed at random: {left} processes left, {seconds:.1f} s after the last")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=1000)
    given = parser.parse_args()
    main(given.runs, given.kills)
