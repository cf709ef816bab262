"""The server over Streamable HTTP: who is calling, health, limits."""

from parallel_mcp.http.app import application
from parallel_mcp.http.callers import is_loopback
from parallel_mcp.http.serving import run

__all__ = ["application", "is_loopback", "run"]
