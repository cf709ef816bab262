"""Long silent calls behind a real nginx, at full length: python -m benchmarks.silence [--minutes 5]

An upstream that is silent for that long, `parallel-mcp http` as a process, nginx with `proxy_read_timeout 60s`, and
four simultaneous calls of deep_research with `core`: both eras, with and without a progress token. For each it prints
how it ended and the longest time without a byte, which must be under fifteen seconds.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tests.support.silent_call import SilentCall, SilentCalls, nginx
from tests.support.upstream import upstream_running

IDLE_SECONDS = 60
MOST_SILENT_SECONDS = 15.0


@asynccontextmanager
async def _server(upstream: str, wait_seconds: float) -> AsyncIterator[str]:
    """The server with its usual heartbeat, as a process. Yields its URL."""
    command = [sys.executable, "-m", "parallel_mcp", "http", "--port", "0", "--store", "memory:"]
    command += ["--wait-seconds", str(wait_seconds)]
    environment = {"PARALLEL_API_KEY": "k", "PARALLEL_BASE_URL": upstream}
    async with await anyio.open_process(command, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr is not None
            said = b""
            with anyio.fail_after(30):
                while b"/mcp" not in said:
                    said += await process.stderr.receive()
            yield said.decode().partition("serving ")[2].split()[0].removesuffix("/mcp")
        finally:
            if process.returncode is None:
                process.terminate()


def _verdict(call: SilentCall) -> bool:
    """Print the result of a call. Returns whether it is as promised."""
    try:
        result = call.result()
        good = not result.get("isError") and call.question in str(result["structuredContent"])
        ended = "answered" if good else f"ended with {result}"
    except AssertionError as error:
        good, ended = False, f"broke: {error}"
    good = good and call.longest <= MOST_SILENT_SECONDS
    print(f"{call.name:36} {ended}; longest silence {call.longest:.1f} s  {'ok' if good else 'NOT MET'}")
    return good


async def measure(minutes: float) -> bool:
    """Whether every call ended with its answer and none was silent for too long."""
    silent = SilentCalls()
    began = time.monotonic()
    async with upstream_running() as upstream:
        gate = upstream.hold()
        async with (
            _server(upstream.url, minutes * 60 + 100) as url,
            nginx(url, IDLE_SECONDS) as proxied,
            anyio.create_task_group() as group,
        ):
            group.start_soon(silent.run, proxied, IDLE_SECONDS * 2)
            await upstream.requests(4)
            await anyio.sleep(minutes * 60)
            gate.set()
    print(f"{time.monotonic() - began:.0f} s in all, behind an idle limit of {IDLE_SECONDS} s")
    verdicts = [_verdict(call) for call in silent.calls]
    return all(verdicts)


def main() -> int:
    """Run it. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    return 0 if anyio.run(measure, parser.parse_args().minutes) else 1


if __name__ == "__main__":
    sys.exit(main())
