"""AG2's MCPToolkit; its model asks for one call and is shown what came of it."""

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
        agent = Agent(
            "researcher", config=TestConfig(asked, "done"), tools=[MCPToolkit(toolkit.config, middleware=[look])]
        )
        await agent.ask(question)
        return shown[0]

    await answer(call, question)


asyncio.run(main(*sys.argv[1:]))
