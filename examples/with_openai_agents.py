"""OpenAI Agents: python with_openai_agents.py QUESTION [URL]

pip install openai-agents
"""

import asyncio
import os
import sys

from agents import Agent, Runner
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp


async def main(question: str, url: str | None = None) -> None:
    # By default it gives up after 5 seconds, which is shorter than most answers take.
    patience = {"client_session_timeout_seconds": 60}
    if url:
        server = MCPServerStreamableHttp({"url": url, "timeout": 60}, **patience)
    else:
        server = MCPServerStdio({"command": "parallel-mcp", "env": dict(os.environ)}, **patience)
    async with server:
        agent = Agent("Researcher", instructions="Name the sources of every claim.", mcp_servers=[server])
        print((await Runner.run(agent, question)).final_output)


asyncio.run(main(*sys.argv[1:]))
