"""AG2's MCPToolkit. Its model asks for one call and is shown the result."""

import asyncio
import json
import os
import sys

from ag2 import Agent
from ag2.events import ToolCallEvent
from ag2.testing import TestConfig
from ag2.tools.toolkits.mcp_server.toolkit import MCPToolkit
from ag2.tools.toolkits.mcp_server.types import MCPStdioServerConfig
from going_on import answer


async def main(question, command, *args):
    server = MCPStdioServerConfig(command=command, args=list(args), env=dict(os.environ))

    async def call(given):
        shown = []

        async def look(on_tool, event, context):
            shown.append(await on_tool(event, context))
            return shown[-1]

        asked = ToolCallEvent("deep_research", arguments=json.dumps(given))
        tools = [MCPToolkit(server, middleware=[look])]
        agent = Agent("researcher", config=TestConfig(asked, "done"), tools=tools)
        await agent.ask(question)
        return "\n".join(part.content for part in shown[0].result.parts)

    await answer(call, question)


asyncio.run(main(*sys.argv[1:]))
