"""Google ADK: python with_google_adk.py QUESTION [URL]

pip install "google-adk[mcp]" litellm
"""

import asyncio
import os
import sys

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams, StreamableHTTPConnectionParams
from mcp import StdioServerParameters


async def main(question: str, url: str | None = None) -> None:
    # Its defaults give up after 5 seconds, which is shorter than most answers take.
    if url:
        connection = StreamableHTTPConnectionParams(url=url, timeout=60)
    else:
        server = StdioServerParameters(command="parallel-mcp", env=dict(os.environ))
        connection = StdioConnectionParams(server_params=server, timeout=60)
    toolset = McpToolset(connection_params=connection)
    agent = LlmAgent(name="researcher", model=LiteLlm("openai/gpt-5"), tools=[toolset])
    async with InMemoryRunner(agent) as runner:
        events = await runner.run_debug(question, quiet=True)
    print(*(part.text for part in events[-1].content.parts if part.text))


asyncio.run(main(*sys.argv[1:]))
