"""LangChain's get_tools."""

import asyncio
import os
import sys

from going_on import answer
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(question, command, *args):
    server = {"transport": "stdio", "command": command, "args": list(args), "env": dict(os.environ)}
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"parallel": server}).get_tools()}
    await answer(tools["deep_research"].ainvoke, question)


asyncio.run(main(*sys.argv[1:]))
