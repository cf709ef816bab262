"""Pydantic AI: python with_pydantic_ai.py QUESTION [URL]

pip install "pydantic-ai-slim[openai,mcp]"
"""

import asyncio
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset, StdioTransport


async def main(question: str, url: str | None = None) -> None:
    server = MCPToolset(url or StdioTransport(command="parallel-mcp", args=[], env=dict(os.environ)))
    agent = Agent("openai:gpt-5", instructions="Name the sources of every claim.", toolsets=[server])
    async with agent:
        print((await agent.run(question)).output)


asyncio.run(main(*sys.argv[1:]))
