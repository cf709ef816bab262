"""How many tokens of context each server's tools take: python -m benchmarks.beside.tokens [--only NAME ...]

Counts what a host passes to a model for each tool, namely its name, its description and its input schema, in tokens of
o200k_base, with the tokenizer of an npm package.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile

from benchmarks.beside.__main__ import upstream
from benchmarks.beside.connection import running
from benchmarks.beside.table import PACKAGES, Server, read

COUNTER = "gpt-tokenizer"
SCRIPT = """
import {encode} from 'gpt-tokenizer/encoding/o200k_base'
let text = ''
for await (const part of process.stdin) text += part
console.log(encode(text).length)
"""


def counted(text: str) -> int:
    """The number of tokens in a text."""
    folder = PACKAGES / "tokens"
    if not (folder / "node_modules" / COUNTER).exists():
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error"]
        subprocess.run(["npm", "install", "--prefix", str(folder), *quiet, COUNTER], check=True)
    (folder / "count.mjs").write_text(SCRIPT, "utf-8")
    done = subprocess.run(
        ["node", "count.mjs"], cwd=folder, input=text.encode(), capture_output=True, check=True, timeout=60
    )
    return int(done.stdout)


async def shown(server: Server, stub: str) -> list[dict[str, object]]:
    """What a model sees of a server's tools."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(server, "stdio", stub, folder) as here:
            tools = json.loads(here.listed)["result"]["tools"]
    return [{name: tool.get(name) for name in ("name", "description", "inputSchema")} for tool in tools]


async def _counted(servers: list[Server]) -> None:
    print("| | tokens | tools |\n|---|---|---|")
    async with upstream() as stub:
        for server in servers:
            server.prepare(stub.url)
            try:
                tools = await shown(server, stub.url)
            finally:
                server.clean(stub.url)
            print(f"| {server.title} | {counted(json.dumps(tools, ensure_ascii=False)):,} | {len(tools)} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    given = parser.parse_args()
    servers = [server for name, server in read().items() if not given.only or name in given.only]
    asyncio.run(_counted(servers))


if __name__ == "__main__":
    main()
