"""The minimum with the SDK: two tools, one request each, nothing else.

python benchmarks/beside/servers/minimal.py [HTTP PORT]; the Chat API is at PARALLEL_BASE_URL.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from mcp.server import MCPServer
from mcp.server.mcpserver import Context


@dataclass(frozen=True)
class Opened:
    """What the lifespan opens."""

    http: httpx2.AsyncClient


@asynccontextmanager
async def lifespan(_: MCPServer[Opened]) -> AsyncIterator[Opened]:
    """One client for all calls, with its defaults: 100 connections, and 5 s to get one of them."""
    async with httpx2.AsyncClient(base_url=os.environ["PARALLEL_BASE_URL"]) as http:
        yield Opened(http)


# If rich is installed, the SDK renders a traceback of each failed call, which takes a second of CPU.
server = MCPServer("minimal", lifespan=lifespan, log_level="CRITICAL")


async def _ask(context: Context[Opened], model: str, question: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    headers = {"authorization": f"Bearer {os.environ['PARALLEL_API_KEY']}"}
    response = await context.request_context.lifespan_context.http.post("/chat/completions", json=body, headers=headers)
    return str(response.raise_for_status().json()["choices"][0]["message"]["content"])


@server.tool()
async def web_answer(question: str, context: Context[Opened]) -> str:
    """Answer a question from the web."""
    return await _ask(context, "speed", question)


@server.tool()
async def deep_research(question: str, context: Context[Opened]) -> str:
    """Research a question on the web."""
    return await _ask(context, "base", question)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]), stateless_http=True)
    else:
        server.run()
