"""LlamaIndex's BasicMCPClient, with its 30 s limit."""

import asyncio
import os
import sys

from going_on import answer
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main(question, command, *args):
    client = BasicMCPClient(command, args=list(args), env=dict(os.environ))
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}

    async def call(given):
        return (await tools["deep_research"].acall(**given)).content

    await answer(call, question)


asyncio.run(main(*sys.argv[1:]))
