"""`python benchmarks/front.py [--runs 20] [--kills 1000] [--ends 10]`: what the front costs, and how it ends.

The minimum time until tools/list is answered, and resident memory at that time, in both eras, interleaved with an
interpreter that only prints; the CPU of `--version` and `--help` compared with importing the server; the time from each
kind of end, with a run in flight, until the front has exited and stdout and stderr have ended for the host; then starts
that are killed at random moments, and what is left of them. The exit status is 1 if anything is over its bound.
"""

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BARE = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
BASE = "bare interpreter"
SERVER = [sys.executable, "-m", "parallel_mcp"]
PREFIX = "io.modelcontextprotocol/"
META = {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}}
CLIENT = {"name": "benchmark", "version": "0"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}

START_MS, START_MB, QUICK, END_SECONDS = 40.0, 4.0, 0.2, 0.2
"""The bounds: relative to the bare interpreter, to the import's CPU, and after an end."""

LAUNCHER = [sys.executable, "-c", "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"]

LEGACY: list[tuple[str, dict[str, Any]]] = [("initialize", HELLO), ("tools/list", {})]
MODERN: list[tuple[str, dict[str, Any]]] = [("server/discover", {"_meta": META}), ("tools/list", {"_meta": META})]


def started(command: list[str], store: str) -> subprocess.Popen[bytes]:
    """The process, on its own store."""
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_MCP_STORE": store}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def measured(command: list[str], requests: list[tuple[str, dict[str, Any]]], store: str) -> tuple[float, float]:
    """Milliseconds until the last response, and resident megabytes at that time."""
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
    """The number of processes on this store."""
    found = 0
    for folder in Path("/proc").iterdir():
        try:
            found += f"PARALLEL_MCP_STORE={store}\0".encode() in (folder / "environ").read_bytes() + b"\0"
        except OSError:
            continue
    return found


def quick(arguments: list[str]) -> float:
    """CPU milliseconds of a command that prints and exits."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    process.returncode = 0
    return (used.ru_utime + used.ru_stime) * 1000


ENDS: dict[str, Callable[[subprocess.Popen[bytes]], None]] = {
    "end of input": lambda process: process.stdin.close() if process.stdin is not None else None,
    "SIGTERM": lambda process: process.terminate(),
    "SIGINT": lambda process: process.send_signal(signal.SIGINT),
    "SIGKILL": lambda process: process.kill(),
    "SIGKILL of the group": lambda process: os.killpg(process.pid, signal.SIGKILL),
    "SIGKILL of the launcher": lambda process: process.kill(),
}


def ended(name: str, folder: str) -> float:
    """Seconds from a kind of end, with a run in flight, until the front has exited and stdout and stderr have ended.

    A socket that never answers holds the request. The engine exits once that is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        port = upstream.getsockname()[1]
        environment = {
            "PARALLEL_API_KEY": "k",
            "PARALLEL_MCP_STORE": f"{folder}/research.sqlite3",
            "PARALLEL_BASE_URL": f"http://127.0.0.1:{port}",
        }
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        launcher = LAUNCHER if name.endswith("launcher") else []
        process = subprocess.Popen([*launcher, *SERVER], env=environment, start_new_session=True, **pipes)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        call = {"name": "deep_research", "arguments": {"question": f"Why, {port}?"}}
        messages = [("initialize", HELLO), ("tools/call", call)]
        for number, (method, params) in enumerate(messages):
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        request, _ = upstream.accept()
        with request:
            request.recv(1)
            began = time.perf_counter()
            ENDS[name](process)
            process.stdout.read()
            process.stderr.read()
            process.wait()
            return time.perf_counter() - began


def killed(count: int, store: str) -> tuple[int, float]:
    """The processes left within ten seconds of killing so many fronts, and the time until none is left."""
    for _ in range(count):
        process = started(SERVER, store)
        time.sleep(random.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    began = time.perf_counter()
    while engines(store) and time.perf_counter() - began < 10:
        time.sleep(0.1)
    return engines(store), time.perf_counter() - began


def start(runs: int, folder: str) -> bool:
    """Print the cost of a start. Returns whether it is within bounds."""
    rows: dict[str, list[tuple[float, float]]] = {BASE: [], "front, 2025-11-25": [], "front, 2026-07-28": []}
    cases = [(BARE, []), (SERVER, LEGACY), (SERVER, MODERN)]
    for _ in range(runs):
        for row, (command, requests) in zip(rows.values(), cases, strict=True):
            row.append(measured(command, requests, f"{folder}/research.sqlite3"))
    base = [min(column) for column in zip(*rows[BASE], strict=True)]
    held = True
    for name, row in rows.items():
        fastest, smallest = (min(column) for column in zip(*row, strict=True))
        usual = statistics.median(ms for ms, _ in row)
        more = f"({fastest - base[0]:+5.1f} ms, {smallest - base[1]:+4.1f} MB)"
        print(f"{name:24} {fastest:6.1f} ms, usually {usual:6.1f}  {smallest:5.1f} MB {more}", flush=True)
        held = held and fastest - base[0] <= START_MS and smallest - base[1] <= START_MB
    return held


def commands(runs: int) -> bool:
    """Print the cost of the quick commands. Returns whether it is within bounds."""
    cases = {
        "importing the server": ["-c", "import parallel_mcp.server, parallel_mcp.cli.group"],
        "--version": ["-m", "parallel_mcp", "--version"],
        "--help": ["-m", "parallel_mcp", "--help"],
    }
    least = dict.fromkeys(cases, float("inf"))
    for _ in range(runs):
        for name, arguments in cases.items():
            least[name] = min(least[name], quick(arguments))
    whole = least["importing the server"]
    for name, ms in least.items():
        print(f"{name:24} {ms:6.1f} ms of CPU ({ms / whole:.2f}x)", flush=True)
    return max(least["--version"], least["--help"]) <= QUICK * whole


def ends(runs: int, folder: str) -> bool:
    """Print how long each kind of end takes. Returns whether all are within bounds."""
    held = True
    for name in ENDS if runs else ():
        times = [ended(name, folder) for _ in range(runs)]
        usual = statistics.median(times)
        print(f"{name:24} {usual * 1000:6.1f} ms until all is closed, at worst {max(times) * 1000:.1f}", flush=True)
        held = held and usual <= END_SECONDS
    return held


def main(runs: int, kills: int, rounds: int) -> int:
    """Print the tables. Returns the exit status."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        held = [start(runs, folder), commands(max(runs // 2, 3)), ends(rounds, folder)]
        left, seconds = killed(kills, f"{folder}/research.sqlite3")
        print(f"{kills} starts killed at random: {left} processes left, {seconds:.1f} s after the last")
    return 0 if all(held) and not left else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--ends", type=int, default=10)
    given = parser.parse_args()
    sys.exit(main(given.runs, given.kills, given.ends))
