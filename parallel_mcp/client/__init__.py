"""One question over HTTP: pacing, timeouts, retries, and every failure as one of our errors."""

from parallel_mcp.client.chat_client import ChatClient
from parallel_mcp.client.pacing import OnProgress, Pacing
from parallel_mcp.client.probe import probe
from parallel_mcp.client.transport import open_http

__all__ = ["ChatClient", "OnProgress", "Pacing", "open_http", "probe"]
