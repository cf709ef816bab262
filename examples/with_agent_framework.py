"""Microsoft Agent Framework: python with_agent_framework.py QUESTION [URL]

pip install agent-framework-core agent-framework-openai mcp tenacity
"""

import asyncio
import os
import sys

from agent_framework import Agent, MCPStdioTool, MCPStreamableHTTPTool
from agent_framework.openai import OpenAIChatClient


async def main(question: str, url: str | None = None) -> None:
    if url:
        server = MCPStreamableHTTPTool("parallel", url)
    else:
        server = MCPStdioTool("parallel", "parallel-mcp", args=[], env=dict(os.environ))
    # Without it, the model is told that a call failed, and nothing else.
    tell = {"include_detailed_errors": True}
    model = OpenAIChatClient(model="gpt-5", function_invocation_configuration=tell)
    async with server:
        agent = Agent(model, "Name the sources of every claim.", tools=server)
        print((await agent.run(question)).text)


asyncio.run(main(*sys.argv[1:]))
