"""Unknown tools and prompts: the specification wants a protocol error, the SDK gives a result or fails (mcp 2.3)."""

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from parallel_mcp import telemetry


def reject_unknown_names(known: Mapping[str, set[str]]) -> ServerMiddleware[Any]:
    """Answer a name that is not among the known ones of its method, `tools/call` or `prompts/get`, with -32602."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        name, names = (ctx.params or {}).get("name"), known.get(ctx.method)
        telemetry.named(ctx.method, name, names or set())
        if names is not None and isinstance(name, str) and name not in names:
            kind = ctx.method.partition("s/")[0]
            # Without the name, for the SDK puts these words into its span.
            raise MCPError(INVALID_PARAMS, f"Unknown {kind}. Known {kind}s: {', '.join(sorted(names))}")
        return await call_next(ctx)

    return middleware
