"""Both tools as a host sees them, with a real client, server, HTTP client and socket, in both eras."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import jsonschema
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, Icon, ResourceLink, TextContent

from parallel_mcp import tools
from parallel_mcp.server import open_app
from parallel_mcp.settings import Settings
from parallel_mcp.tools import AppContext
from parallel_mcp.tools.checked import CheckedTool
from tests.support.upstream import Upstream

ERAS = ("auto", "legacy")


SOON = 5.0
"""Five times the second within which something has to end."""


Connect = Callable[..., AbstractAsyncContextManager[Client]]


def settings_for(upstream: Upstream, **more: Any) -> Settings:
    return Settings(**{"api_key": "k", "base_url": upstream.url, "store": "memory:", **more})


@asynccontextmanager
async def beating(upstream: Upstream, era: str, heartbeat: float) -> AsyncIterator[Client]:
    """The same tools with another heartbeat, for which there is no setting."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[AppContext]) -> AsyncIterator[AppContext]:
        async with open_app(settings_for(upstream)) as app:
            yield replace(app, heartbeat_seconds=heartbeat)

    offered = [CheckedTool.of(fn, "Tool", Icon(src="data:,")) for fn in (tools.web_answer, tools.deep_research)]
    async with Client(MCPServer("beating", tools=list(offered), lifespan=lifespan), mode=era) as client:
        yield client


@dataclass
class Progress:
    """Progress reports as they arrive."""

    values: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.values.append(progress)
        self.messages.append(message or "")
        self._news.set()
        self._news = anyio.Event()

    async def more(self, seconds: float) -> None:
        """Wait for the next report."""
        with anyio.fail_after(seconds):
            await self._news.wait()

    async def until(self, condition: Callable[["Progress"], object]) -> None:
        with anyio.fail_after(10):
            while not condition(self):
                await self._news.wait()


async def structured(client: Client, tool: str, result: CallToolResult) -> dict[str, Any]:
    """The structured content of a successful result, validated against the published schema."""
    assert not result.is_error, result.content
    listed = {offered.name: offered for offered in (await client.list_tools()).tools}
    schema = listed[tool].output_schema
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(result.structured_content, schema)
    assert result.structured_content is not None
    return dict(result.structured_content)


def text_of(result: CallToolResult) -> str:
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


def links_of(result: CallToolResult) -> list[ResourceLink]:
    return [block for block in result.content if isinstance(block, ResourceLink)]


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The text of an error that a model reads, which must be text only and in our own words."""
    with anyio.fail_after(20):
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    assert [block.type for block in result.content] == ["text"]
    text = text_of(result)
    assert not text.startswith("Error executing tool")
    assert "pydantic" not in text.lower()
    assert "validation error" not in text.lower()
    assert "Traceback" not in text
    return text
