"""Where the CPU of a call goes: python -m benchmarks.beside.shares [--kind answer|research] [--calls N] [--write PAGE]

Samples the engine by its own CPU time while it answers one call after another, and counts each sample for the package
or room whose code was running. The front, the store's thread and the kernel's work for them are in no row.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from benchmarks.beside import page
from benchmarks.beside.__main__ import upstream
from benchmarks.beside.connection import running
from benchmarks.beside.measures import WARM_UP, question
from benchmarks.beside.table import read

FILE = "BESIDE_SHARES"
ENGINE = "--as-the-engine"
SECONDS = 0.001
LEAST = 1.0
"""Percent; what is less is gathered in one row."""


def _owner(file: str) -> str:
    """The package or room that a source file belongs to."""
    if found := re.search(r"/site-packages/([^/.]+)", file):
        return {"mcp_types": "mcp", "pydantic_core": "pydantic"}.get(found[1], found[1])
    if found := re.search(r"/parallel_mcp/([^/.]+)", file):
        return f"{found[1]}/"
    return "asyncio" if "/asyncio/" in file or file.endswith("selectors.py") else "the rest of the standard library"


def _engine() -> None:
    """The engine, which is sampled from one SIGUSR1 to the next."""
    samples: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        if frame is not None:
            samples[frame.f_code.co_filename] += 1

    def begin(*_: object) -> None:
        signal.signal(signal.SIGUSR1, end)
        signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)

    def end(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(os.environ[FILE]).write_text(json.dumps(samples), "utf-8")
        os._exit(0)

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, begin)
    sys.argv = ["parallel-mcp", "engine", "--front", version("parallel-mcp")]
    from parallel_mcp.__main__ import main as served

    served()


async def _called(kind: str, calls: int, folder: str, file: Path) -> None:
    """Leave the samples of so many calls in a file."""
    ours = read()["ours"]
    server = replace(
        ours, stdio=["{python}", "-m", "benchmarks.beside.shares", ENGINE], env={**ours.env, FILE: str(file)}
    )
    async with upstream() as stub, running(server, "stdio", stub.url, folder) as here:
        for _ in range(WARM_UP):
            await here.ask(kind, question())
        here.process.send_signal(signal.SIGUSR1)
        for _ in range(calls):
            await here.ask(kind, question())
        here.process.send_signal(signal.SIGUSR1)
        await here.process.wait()


def _sampled(kind: str, calls: int) -> Counter[str]:
    shares: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "samples.json")
        asyncio.run(_called(kind, calls, folder, file))
        for name, count in json.loads(file.read_text("utf-8")).items():
            shares[_owner(name)] += count
    return shares


def table(shares: Counter[str]) -> str:
    """Percent by package and room, the largest first."""
    whole = sum(shares.values()) / 100
    rows = [(name, count / whole) for name, count in shares.most_common() if count / whole >= LEAST]
    rows.append(("all others", 100 - sum(share for _, share in rows)))
    return "\n".join(["| code of | % |", "|---|---|", *(f"| {name} | {share:.0f} |" for name, share in rows)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("answer", "research"), default="answer")
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    text = table(_sampled(given.kind, given.calls))
    print(text)
    if given.write:
        page.write(given.write, "shares", text)


if __name__ == "__main__":
    _engine() if ENGINE in sys.argv else main()
