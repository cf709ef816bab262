"""MCPServer sets up logging when created, and loads Rich for it, although that is the application's task (mcp 2.3)."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver import server


@contextmanager
def logging_left_alone() -> Iterator[None]:
    """An MCPServer created in this block leaves logging alone."""
    namespace = vars(server)
    set_up = namespace["configure_logging"]
    namespace["configure_logging"] = lambda _: None
    try:
        yield
    finally:
        namespace["configure_logging"] = set_up
