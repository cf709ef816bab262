"""How many tokens of context each server takes: python -m benchmarks.beside.tokens [--only NAME ...]

In tokens of o200k_base, with the tokenizer of an npm package: all of tools/list, what a host passes to a model of it
(name, description and input schema), and an answer of each kind in both channels of a result. The stub's answer has
eight sources. For comparison: its words alone, with links, and with links and excerpts.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
from typing import Any

from benchmarks.beside.__main__ import upstream
from benchmarks.beside.connection import running
from benchmarks.beside.measures import question
from benchmarks.beside.stub import SOURCES, answer
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


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shown(tools: list[dict[str, Any]]) -> str:
    """What a model sees of a server's tools."""
    parts = [{name: tool.get(name) for name in ("name", "description", "inputSchema")} for tool in tools]
    return json.dumps(parts, ensure_ascii=False)


async def _row(server: Server, stub: str, asked: str) -> list[str]:
    """A server's figures, in the order of the columns."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(server, "stdio", stub, folder) as here:
            result = json.loads(here.listed)["result"]
            row: list[int | str] = [str(len(result["tools"])), counted(_json(result)), counted(shown(result["tools"]))]
            for kind in ("answer", "research"):
                tool = server.tool(kind)
                if tool is None or tool.polls:
                    row += ["", "", ""]
                    continue
                said = json.loads(await here.channel.request("tools/call", tool.call(asked)))["result"]
                text = "\n".join(block.get("text", "") for block in said["content"])
                links = sum(source["url"] in text for source in SOURCES)
                structured = said.get("structuredContent")
                row += [counted(text), f"{links} of {len(SOURCES)}", counted(_json(structured)) if structured else ""]
    return [f"{each:,}" if isinstance(each, int) else each for each in row]


def _bare(asked: str) -> str:
    """What the same answer takes without any server."""
    words = answer(asked)
    links = words + "".join(f"\n[{number}] {one['title']} - {one['url']}" for number, one in enumerate(SOURCES, 1))
    excerpts = links + "".join("\n".join(one["excerpts"]) for one in SOURCES)
    return (
        f"The answer's words alone: {counted(words)}; with the titles and links of its {len(SOURCES)} sources: "
        f"{counted(links)}; with their excerpts too: {counted(excerpts)}."
    )


HEAD = (
    "| | tools | tools/list | shown to a model | web_answer: text | its links in the text | structured "
    "| deep_research: text | its links in the text | structured |"
)


async def _counted(servers: list[Server]) -> None:
    asked = question()
    print(f"{_bare(asked)}\n\n{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|")
    async with upstream() as stub:
        for server in servers:
            server.prepare(stub.url)
            try:
                row = await _row(server, stub.url, asked)
            finally:
                server.clean(stub.url)
            print(f"| {' | '.join([server.title, *row])} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    given = parser.parse_args()
    servers = [server for name, server in read().items() if not given.only or name in given.only]
    asyncio.run(_counted(servers))


if __name__ == "__main__":
    main()
