"""The caller's research runs as resources. Reading them costs nothing."""

import json
from collections.abc import Callable
from typing import Any, cast

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from parallel_mcp import errors, tools
from parallel_mcp.errors import ParallelError
from parallel_mcp.report import FORMATS, Format
from parallel_mcp.research import Principal, ResearchRun, ResearchService
from parallel_mcp.tools import AppContext

PAGE = 50


def add_resources(server: MCPServer[AppContext]) -> None:
    """Add the history, and every format of a research run."""

    @server.resource(
        "research://{?before}",
        name="history",
        title="Research history",
        description="Your research runs, newest first, 50 per page; before is the last id of the previous page",
        mime_type="application/json",
    )
    async def history(ctx: Context[AppContext, Any], before: str | None = None) -> str:
        rows = await _read(ctx, lambda service, principal: service.store.list(principal.scope, before or None, PAGE))
        page = [tools.research_of(row).model_dump(mode="json", exclude={"answer"}) for row in rows]
        following = f"research://?before={rows[-1].research_id}" if len(rows) == PAGE else None
        return json.dumps({"research": page, "next": following}, ensure_ascii=False)

    for form in FORMATS.values():
        _add_format(server, form)


def _add_format(server: MCPServer[AppContext], form: Format) -> None:
    @server.resource(
        f"research://{{research_id}}/{form.suffix}",
        name=f"research-{form.suffix}",
        description=f"{form.title}, complete",
        mime_type=form.mime_type,
    )
    async def written(research_id: str, ctx: Context[AppContext, Any]) -> str:
        return form.write(tools.research_of(await _row(ctx, research_id)))


async def _read(ctx: Context[AppContext, Any], read: Callable[[ResearchService, Principal], Any]) -> Any:
    app = ctx.request_context.lifespan_context
    try:
        return await read(app.service, app.who(ctx))
    except ParallelError as error:
        raise ResourceError(str(error)) from error


async def _row(ctx: Context[AppContext, Any], research_id: str) -> ResearchRun:
    row = await _read(ctx, lambda service, principal: service.store.get(research_id, principal.scope))
    if row is None:
        raise ResourceNotFoundError(str(errors.UnknownResearch(research_id)))
    return cast("ResearchRun", row)
