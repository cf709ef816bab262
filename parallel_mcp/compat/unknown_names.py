"""Unknown tools and prompts: the specification requires a protocol error, the SDK gives a result or fails (mcp 2.3)."""

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from parallel_mcp import telemetry


def reject_unknown_names(known: Mapping[str, set[str]]) -> ServerMiddleware[Any]:
    """Middleware that answers -32602 to a `tools/call` or `prompts/get` with an unknown name."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        name, names = (ctx.params or {}).get("name"), known.get(ctx.method)
        telemetry.named(ctx.method, name, names or set())
        if names is not None and isinstance(name, str) and name not in names:
            kind = ctx.method.partition("s/")[0]
            # The name is left out because the SDK records this message in its span.
            raise MCPError(INVALID_PARAMS, f"Unknown {kind}. Known {kind}s: {', '.join(sorted(names))}")
        return await call_next(ctx)

    return middleware
