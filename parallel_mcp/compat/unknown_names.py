"""Unknown tools and prompts: the specification wants a protocol error, the SDK gives a result or fails (mcp 2.3)."""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from parallel_mcp import telemetry


def reject_unknown_names(known: set[str]) -> ServerMiddleware[Any]:
    """The specification wants a protocol error for an unknown tool or prompt; the SDK gives a result, or falls over."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        name = (ctx.params or {}).get("name")
        telemetry.named(ctx.method, name, known)
        if ctx.method == "tools/call" and isinstance(name, str) and name not in known:
            # Without the name, for the SDK puts these words into its span.
            raise MCPError(INVALID_PARAMS, f"Unknown tool. Known tools: {', '.join(sorted(known))}")
        if ctx.method == "prompts/get":
            raise MCPError(INVALID_PARAMS, "Unknown prompt: this server has none")
        return await call_next(ctx)

    return middleware
