"""Google's ADK, with its limit of 5 s; its model asks for one call after another, by what the last one said."""

import asyncio
import json
import os
import sys

from going_on import answer
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters


class Scripted(BaseLlm):
    """A model that asks for what it was told to, and then says what came of it."""

    model: str = "scripted"
    wanted: dict | None = None

    async def generate_content_async(self, llm_request, stream=False):
        part = llm_request.contents[-1].parts[-1]
        if part.function_response is not None:
            said = types.Part(text=json.dumps(part.function_response.response))
        else:
            said = types.Part(function_call=types.FunctionCall(name="deep_research", args=self.wanted))
        yield LlmResponse(content=types.Content(role="model", parts=[said]))


async def main(question, command, *args):
    server = StdioServerParameters(command=command, args=list(args), env=dict(os.environ))
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server))
    model = Scripted()
    agent = LlmAgent(name="researcher", model=model, tools=[toolset])
    async with InMemoryRunner(agent) as runner:

        async def call(given):
            model.wanted = given
            events = await runner.run_debug(question, quiet=True)
            text = events[-1].content.parts[-1].text
            if "content" not in json.loads(text):
                raise TimeoutError(text)
            return "\n".join(part["text"] for part in json.loads(text)["content"])

        await answer(call, question)


asyncio.run(main(*sys.argv[1:]))
