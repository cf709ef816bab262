"""OpenAI's Agents SDK, with its limit of 5 s."""

import asyncio
import os
import sys

from agents.mcp import MCPServerStdio
from going_on import answer


async def main(question, command, *args):
    async with MCPServerStdio({"command": command, "args": list(args), "env": dict(os.environ)}) as server:

        async def call(given):
            result = await server.call_tool("deep_research", given)
            return "\n".join(part.text for part in result.content)

        await answer(call, question)


asyncio.run(main(*sys.argv[1:]))
