"""CPU per request with httpx2's own transport and with ours: python -m benchmarks.transport [--requests N]

Both get the same streamed answer from a stub in another process, with 1 and with 100 requests in flight.
"""

import argparse
import asyncio
import resource
import ssl
from collections.abc import Callable

import httpx2

from benchmarks.beside.__main__ import upstream
from parallel_mcp.client.transport import AiohttpTransport

BODY = {"model": "base", "stream": True, "messages": [{"role": "user", "content": "matter 1"}]}


def _own() -> httpx2.AsyncBaseTransport:
    return httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20))


def _ours() -> httpx2.AsyncBaseTransport:
    return AiohttpTransport(ssl.create_default_context())


async def _cpu_ms(url: str, transport: httpx2.AsyncBaseTransport, requests: int, in_flight: int) -> float:
    async with httpx2.AsyncClient(base_url=url, transport=transport, timeout=60) as http:
        left = iter(range(requests))

        async def ask() -> None:
            for _ in left:
                async with http.stream("POST", "/chat/completions", json=BODY) as response:
                    async for _ in response.aiter_bytes():
                        pass

        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*[ask() for _ in range(in_flight)])
        after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used * 1000 / requests


async def _measured(requests: int) -> None:
    kinds: dict[str, Callable[[], httpx2.AsyncBaseTransport]] = {"httpx2": _own, "aiohttp": _ours}
    async with upstream() as stub:
        for in_flight in (1, 100):
            # The minimum of three, since the rest of the machine only adds to it.
            least = {
                name: min([await _cpu_ms(stub.url, make(), requests, in_flight) for _ in range(3)])
                for name, make in kinds.items()
            }
            shown = "  ".join(f"{name} {cpu:.2f} ms" for name, cpu in least.items())
            print(f"{in_flight:>3} in flight: {shown}  ratio {least['aiohttp'] / least['httpx2']:.2f}", flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=500)
    asyncio.run(_measured(parser.parse_args().requests))


if __name__ == "__main__":
    main()
