"""MCP Tasks (`io.modelcontextprotocol/tasks`) : a research run is a task, with the same id.

`deep_research` with a question becomes a task if the request (protocol 2026-07-28) declares the extension;
every other call takes the ordinary path. The tool itself runs, with a wait of zero: so arguments, key,
budget and store are checked as usual, an answer that already exists is an ordinary result, and the row is
in the store before its handle is sent. No task lives in memory: any process that shares the store can
serve it, and takes it over if the process that worked on it is gone.

A research run never ends in a JSON-RPC error, so no task is `failed`: a failed run is `completed` with an
error result. No task needs input, so none is `input_required`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
    TextContent,
)
from pydantic import Field

from parallel_mcp import errors, tools
from parallel_mcp.errors import ParallelError
from parallel_mcp.hosts.waits import Waits
from parallel_mcp.models import Research
from parallel_mcp.research import Principal, ResearchRun
from parallel_mcp.tools import AppContext

IDENTIFIER = "io.modelcontextprotocol/tasks"
VERSIONS = frozenset({"2026-07-28"})
"""The protocol revisions that can carry a task."""

REFUSED_POLL_MS = 60_000
"""The poll interval of a task that waits for the day's budget."""

_Request = ServerRequestContext[AppContext, Any]


class TaskParams(RequestParams):
    """The params of `tasks/get` and `tasks/cancel`: `taskId`."""

    task_id: Annotated[str, Field(max_length=100)]


class UpdateParams(TaskParams):
    """The params of `tasks/update`: `taskId` and `inputResponses`, which are never outstanding."""

    input_responses: dict[str, Any]


class Tasks(Extension):
    """The extension, for a server whose lifespan yields an AppContext. Rows stay for `retention_days` after their end.

    All three methods raise MCPError: -32021 to a client that does not declare the extension, -32020 where
    the `Mcp-Name` header is not the task's id, -32602 for an id that is unknown, expired or another
    caller's, and -32603 where the key is missing or the store fails.
    """

    identifier = IDENTIFIER

    def __init__(self, retention_days: float) -> None:
        self._retention = timedelta(days=retention_days)

    def methods(self) -> Sequence[MethodBinding]:
        """`tasks/get`, `tasks/update` and `tasks/cancel`."""
        return (
            MethodBinding("tasks/get", TaskParams, self._get, VERSIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, VERSIONS),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: _Request, call_next: CallNext
    ) -> HandlerResult:
        """Returns a task instead of a research run in progress, to a client that supports tasks."""
        if not (_asks_research(params) and _declares(ctx)):
            return await call_next(ctx)
        at_once = replace(ctx.lifespan_context, waits=Waits(0))
        result = await call_next(replace(ctx, lifespan_context=at_once))
        research = _under_way(result)
        if research is None:
            return result
        message = tools.opening_message(research.model)
        return {"resultType": "task", **self._task(research, research.created_at, message)}

    async def _get(self, ctx: _Request, params: TaskParams) -> HandlerResult:
        """The task's current state. A row that nobody works on any more is taken over, since somebody wants it."""
        app, principal = _admitted(ctx, params)
        with _as_protocol_errors():
            try:
                row, _ = await app.service.wait(principal, params.task_id, 0, _ignore)
            except errors.BudgetReached as error:
                row = await _row(app, principal, params.task_id)
                return self._working(row, str(error)) | {"pollIntervalMs": REFUSED_POLL_MS}
        if row.status == "working":
            words = app.service.words(row.research_id)
            return self._working(row, tools.progress(tools.opening_message(row.question.model), words, row.seconds))
        app.deliveries.first(row, by_id=True)
        return self._over(row, app.max_result_chars)

    async def _update(self, ctx: _Request, params: UpdateParams) -> HandlerResult:
        """Accepts responses to requests that were never made and ignores them, as the specification requires."""
        app, principal = _admitted(ctx, params)
        with _as_protocol_errors():
            await _row(app, principal, params.task_id)
        return {}

    async def _cancel(self, ctx: _Request, params: TaskParams) -> HandlerResult:
        """Let go of the task, which stops it unless another call waits for it. Fine if it is already over."""
        app, principal = _admitted(ctx, params)
        with _as_protocol_errors():
            await app.service.cancel(principal, params.task_id)
        return {}

    def _working(self, row: ResearchRun, message: str) -> dict[str, Any]:
        research = tools.research_of(row)
        return self._task(research, research.created_at, message)

    def _over(self, row: ResearchRun, limit: int) -> dict[str, Any]:
        """The task with the result that a waiting call would have got."""
        research = tools.research_of(row)
        ended = _iso(row.finished_at or row.created_at)
        try:
            # As for the call that sent the request: the same at every poll, so the answer's age is left out.
            result = tools.research_result(row, first=True, limit=limit)
        except errors.ResearchEnded as error:
            message = str(error)
            if row.status == "cancelled":
                return self._task(research, ended, message)
            result = CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
        else:
            message = f"Answered after {row.seconds:.0f} s"
        task = self._task(research, ended, message) | {"status": "completed"}
        return task | {"result": result.model_dump(by_alias=True, mode="json", exclude_none=True)}

    def _task(self, research: Research, updated: str, message: str) -> dict[str, Any]:
        """The fields that every task has. `ttlMs` counts from `createdAt` and is a minimum."""
        return {
            "taskId": research.research_id,
            "status": research.status,
            "statusMessage": message,
            "createdAt": research.created_at,
            "lastUpdatedAt": updated,
            "ttlMs": max(round(self._retention / timedelta(milliseconds=1)), 1),
            "pollIntervalMs": research.model.poll_ms,
        }


def _asks_research(params: CallToolRequestParams) -> bool:
    """Whether the call asks a new question; a call by id waits the ordinary way. A blank id counts as none."""
    given = (params.arguments or {}).get("research_id")
    return params.name == "deep_research" and not str(given or "").strip()


def _declares(ctx: _Request) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = capabilities.extensions if capabilities is not None else None
    return ctx.protocol_version in VERSIONS and IDENTIFIER in (declared or {})


def _under_way(result: HandlerResult) -> Research | None:
    """The research run in a tool result, if it is still working."""
    if not isinstance(result, CallToolResult) or result.is_error or result.structured_content is None:
        return None
    research = Research.model_validate(result.structured_content)
    return research if research.status == "working" else None


def _admitted(ctx: _Request, params: TaskParams) -> tuple[AppContext, Principal]:
    """The app and the principal, once the request has passed its checks."""
    require_client_extension(ctx, IDENTIFIER)
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != params.task_id:
        raise MCPError(HEADER_MISMATCH, f"The {MCP_NAME_HEADER} header is not the request's taskId")
    app = ctx.lifespan_context
    with _as_protocol_errors():
        return app, app.who(Context(request_context=ctx))


async def _row(app: AppContext, principal: Principal, research_id: str) -> ResearchRun:
    row = await app.service.store.get(research_id, principal.scope)
    if row is None:
        raise errors.UnknownResearch(research_id)
    return row


@contextmanager
def _as_protocol_errors() -> Iterator[None]:
    """Raises our errors as JSON-RPC errors, since there is no tool result to carry them."""
    try:
        yield
    except errors.UnknownResearch as error:
        raise MCPError(INVALID_PARAMS, str(error)) from error
    except ParallelError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error


def _ignore(_: str) -> None:
    """Progress between polls goes nowhere."""


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
