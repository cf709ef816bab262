"""LangChain: python with_langchain.py QUESTION [URL]

pip install langchain langchain-openai langchain-mcp-adapters
"""

import asyncio
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


async def main(question: str, url: str | None = None) -> None:
    over_http = {"transport": "http", "url": url}
    over_stdio = {"transport": "stdio", "command": "parallel-mcp", "args": [], "env": dict(os.environ)}
    client = MultiServerMCPClient({"parallel": over_http if url else over_stdio})
    # client.get_tools() would start a server for each call; one session keeps one for all of them.
    async with client.session("parallel") as session:
        agent = create_agent("openai:gpt-5", await load_mcp_tools(session))
        state = await agent.ainvoke({"messages": [{"role": "user", "content": question}]})
    print(state["messages"][-1].text)


asyncio.run(main(*sys.argv[1:]))
