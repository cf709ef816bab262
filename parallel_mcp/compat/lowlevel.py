"""The SDK's own stdio entry fixes the protocol era at the first request (mcp 2.3): the engine does without it."""

from typing import Any

from mcp.server.lowlevel.server import Server
from mcp.server.mcpserver import MCPServer


def lowlevel(server: MCPServer[Any]) -> Server[Any]:
    """The low-level server inside an MCPServer, which has no public name."""
    return server._lowlevel_server
