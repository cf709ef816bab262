"""What may happen to a run, at full length: `python -m tests.stdio.survival [--previous COMMIT] [TRIAL]...`

Each trial starts with a run whose only request the endpoint holds, and ends with another process that asks the same
question: completed, one request, one attempt. Not part of the tests, because it takes minutes, root for two trials, and
git and a package registry for one. `tests/stdio/test_finishing.py` has the same on a small scale.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from tests.support.fronts import Front, engines, engines_gone, fronted, research
from tests.support.upstream import Upstream, upstream_running

ROOT = Path(__file__).parents[2]
QUESTION = "Why?"
SLEEP_SECONDS = 60.0
ENGINES_SINCE = "parallel_mcp/stdio/finishing.py"
"""The file that came with the first engine that outlives its front."""


@asynccontextmanager
async def under_way(
    upstream: Upstream, store: Path, python: Sequence[str] = (sys.executable,)
) -> AsyncIterator[tuple[Front, anyio.Event]]:
    """A front whose engine has sent a request, and the event that releases its answer. Nothing of it is left."""
    gate = upstream.hold()
    try:
        async with fronted(upstream, store, "--wait-seconds", "600", python=python) as front:
            await front.shake_hands()
            await front.request(2, "tools/call", {"name": "deep_research", "arguments": {"question": QUESTION}})
            await upstream.requests(1, 60)
            yield front, gate
    finally:
        for engine in engines(store):
            os.kill(engine, signal.SIGKILL)


async def check(upstream: Upstream, store: Path) -> None:
    """Ask again, from a new process of this version."""
    async with fronted(upstream, store, "--wait-seconds", "600") as front:
        await front.shake_hands()
        row = await research(front, 2, question=QUESTION)
    assert (row["status"], row["attempts"], len(upstream.received)) == ("completed", 1, 1), row


def _asleep(*, front: bool, engine: bool) -> "Trial":
    """Suspended for a minute like a closed laptop, with the host still there. The answer arrives during that time."""

    async def trial(upstream: Upstream, folder: Path) -> None:
        store = folder / "research.sqlite3"
        async with under_way(upstream, store) as (running, gate):
            stopped = [running.process.pid] * front + engines(store) * engine
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            await anyio.sleep(SLEEP_SECONDS / 2)
            gate.set()
            await anyio.sleep(SLEEP_SECONDS / 2)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            row = (await running.answer(2, 60))["result"]["structuredContent"]
            assert (row["status"], row["attempts"]) == ("completed", 1), row
        await check(upstream, store)

    return trial


async def finishing_asleep(upstream: Upstream, folder: Path) -> None:
    """The engine is suspended for a minute while it finishes, and another process waits for the run all that time."""
    store = folder / "research.sqlite3"
    async with under_way(upstream, store) as (front, gate):
        front.process.kill()
        await front.process.wait()
        (engine,) = engines(store)
        async with fronted(upstream, store, "--wait-seconds", "3") as other:
            await other.shake_hands()
            os.kill(engine, signal.SIGSTOP)
            await anyio.sleep(SLEEP_SECONDS)
            # It looks once: a lease seen lapsed for the first time must not be taken.
            assert (await research(other, 2, question=QUESTION))["status"] == "working"
            os.kill(engine, signal.SIGCONT)
            gate.set()
            await engines_left(store, 1)
        await check(upstream, store)


async def engines_left(store: Path, count: int) -> None:
    """Wait until no other engines are left."""
    with anyio.fail_after(60):
        while len(engines(store)) > count:
            await anyio.sleep(0.1)


async def full_disk(upstream: Upstream, folder: Path) -> None:
    """The disk is full when the answer arrives, and has room again ten seconds later. Needs root, for a small disk."""
    disk = folder / "disk"
    disk.mkdir()
    await anyio.run_process(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)])
    try:
        store = disk / "research.sqlite3"
        async with under_way(upstream, store) as (front, gate):
            await front.stdin.aclose()
            await front.process.wait()
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            gate.set()
            await anyio.sleep(10)
            assert len(engines(store)) == 1, "the engine left without its answer stored"
            filler.unlink()
            await engines_gone(store)
        await check(upstream, store)
    finally:
        await anyio.run_process(["umount", str(disk)])


async def first_process(upstream: Upstream, folder: Path) -> None:
    """As a container's first process, the front stays until its engine has exited. Needs root, for the namespace."""
    store = folder / "research.sqlite3"
    namespace = ("unshare", "--pid", "--fork", "--mount-proc")
    async with under_way(upstream, store, (*namespace, sys.executable)) as (front, gate):
        await front.stdin.aclose()
        with anyio.move_on_after(5):
            await front.process.wait()
            raise AssertionError("the front left, and its container with it")
        gate.set()
        with anyio.fail_after(30):
            await front.process.wait()
        assert not engines(store)
    await check(upstream, store)


async def previous_version(upstream: Upstream, folder: Path, commit: str | None = None) -> None:
    """The wheel of an older commit is still finishing when this version starts and asks on the same store."""
    store = folder / "research.sqlite3"
    python = await anyio.to_thread.run_sync(_previous, folder, commit)
    # Without the folder of this version on its path.
    async with under_way(upstream, store, (str(python), "-P")) as (front, gate):
        await front.stdin.aclose()
        await front.process.wait()
        assert len(engines(store)) == 1
        async with fronted(upstream, store, "--wait-seconds", "1") as new:
            await new.shake_hands()
            row = await research(new, 2, question=QUESTION)
            assert (row["status"], row["attempts"]) == ("working", 1), row
            await new.stdin.aclose()
            await new.process.wait()
        gate.set()
        await engines_gone(store)
    await check(upstream, store)


def _previous(folder: Path, commit: str | None) -> Path:
    """The interpreter of a separate environment with the wheel of an older commit."""
    log = ["git", "log", "--diff-filter=A", "--format=%H", "--", ENGINES_SINCE]
    commit = commit or subprocess.check_output(log, cwd=ROOT, text=True).split()[-1]
    tree, wheels, venv = folder / "tree", folder / "wheels", folder / "venv"
    tree.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", tree], check=True, input=archive.stdout)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(wheels), str(tree)], check=True)
    subprocess.run([*pip, "install", str(next(wheels.glob("*.whl")))], check=True)
    shutil.rmtree(tree)
    return venv / "bin" / "python"


Trial = Callable[[Upstream, Path], Awaitable[None]]

TRIALS: dict[str, Trial] = {
    "engine-asleep": _asleep(front=False, engine=True),
    "front-asleep": _asleep(front=True, engine=False),
    "both-asleep": _asleep(front=True, engine=True),
    "finishing-asleep": finishing_asleep,
    "full-disk": full_disk,
    "first-process": first_process,
    "previous-version": previous_version,
}


async def main(names: Sequence[str]) -> int:
    """Run all at the same time, since most of it is waiting. Returns the exit status."""
    failed: list[str] = []

    async def one(name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with upstream_running() as upstream:
                try:
                    await TRIALS[name](upstream, Path(folder))
                except Exception:
                    failed.append(name)
                    traceback.print_exc()
        print(f"{name:20} {'FAILED' if name in failed else 'completed, 1 request, 1 attempt'}", flush=True)

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(one, name)
    return bool(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(TRIALS))
    parser.add_argument("--previous", metavar="COMMIT", help="the first that had engines, unless given")
    given = parser.parse_args()
    TRIALS["previous-version"] = partial(previous_version, commit=given.previous)
    sys.exit(anyio.run(main, given.trials or list(TRIALS)))
