"""The plain MCP Python SDK and an OpenAI client: python with_python_sdk.py QUESTION [URL]

pip install "mcp>=2.3" openai
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from openai import AsyncOpenAI


async def main(question: str, url: str | None = None) -> None:
    parameters = StdioServerParameters(command="parallel-mcp", env=dict(os.environ))
    async with AsyncOpenAI() as model, Client(url or stdio_client(parameters)) as server:
        tools = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
            }
            for tool in (await server.list_tools()).tools
        ]
        messages = [{"role": "user", "content": question}]
        while True:
            reply = await model.chat.completions.create(model="gpt-5", messages=messages, tools=tools)
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                print(message.content)
                return
            for call in message.tool_calls:
                result = await server.call_tool(call.function.name, json.loads(call.function.arguments))
                text = "\n".join(part.text for part in result.content if part.type == "text")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})


asyncio.run(main(*sys.argv[1:]))
