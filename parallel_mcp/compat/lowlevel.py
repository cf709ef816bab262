"""The SDK's own stdio entry point fixes the protocol era at the first request (mcp 2.3), so the engine avoids it."""

from typing import Any

from mcp.server.lowlevel.server import Server
from mcp.server.mcpserver import MCPServer


def lowlevel(server: MCPServer[Any]) -> Server[Any]:
    """The low-level server inside an MCPServer. It has no public name."""
    return server._lowlevel_server
