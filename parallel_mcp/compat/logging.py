"""MCPServer sets logging up when it is made, and loads Rich for that, though logging is the application's (mcp 2.3)."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver import server


@contextmanager
def logging_left_alone() -> Iterator[None]:
    """An MCPServer that is made in this block does not touch logging."""
    namespace = vars(server)
    set_up = namespace["configure_logging"]
    namespace["configure_logging"] = lambda _: None
    try:
        yield
    finally:
        namespace["configure_logging"] = set_up
