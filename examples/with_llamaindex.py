"""LlamaIndex: python with_llamaindex.py QUESTION [URL]

pip install llama-index-core llama-index-llms-openai llama-index-tools-mcp
"""

import asyncio
import os
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI
from llama_index.tools.mcp import McpToolSpec
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


async def main(question: str, url: str | None = None) -> None:
    parameters = StdioServerParameters(command="parallel-mcp", env=dict(os.environ))
    # BasicMCPClient would start a server for each call, and give up after 30 seconds; your own session does not.
    transport = streamable_http_client(url) if url else stdio_client(parameters)
    async with transport as streams, ClientSession(*streams) as session:
        await session.initialize()
        tools = await McpToolSpec(session).to_tool_list_async()
        agent = FunctionAgent(tools=tools, llm=OpenAI(model="gpt-4.1"))
        print(await agent.run(question))


asyncio.run(main(*sys.argv[1:]))
