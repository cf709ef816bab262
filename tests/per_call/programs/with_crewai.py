"""CrewAI's `mcps=`, resolved as an agent does."""

import asyncio
import os
import sys

from crewai import Agent
from crewai.mcp import MCPServerStdio
from going_on import answer


def main(question, command, *args):
    server = MCPServerStdio(command=command, args=list(args), env=dict(os.environ))
    agent = Agent(role="Researcher", goal="Answer", backstory="Looks things up", mcps=[server], llm="openai/gpt-4.1")
    tools = {tool.name.rpartition("_deep")[2] or tool.name: tool for tool in agent.get_mcp_tools([server])}
    (research,) = (tool for name, tool in tools.items() if name.endswith("research"))

    async def call(given):
        return await asyncio.to_thread(lambda: research.run(**given))

    asyncio.run(answer(call, question))


main(*sys.argv[1:])
