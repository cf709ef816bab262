"""`build(settings)`: the MCP server put together, with nothing opened before its lifespan begins."""

import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, Icon, TextContent, ToolAnnotations
from mcp_types import Resource as ListedResource
from pydantic import ConfigDict, ValidationError

from parallel_mcp import errors, prices, sandbox, telemetry, tools
from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.errors import ParallelError, clean
from parallel_mcp.models import published
from parallel_mcp.report import markdown
from parallel_mcp.research import Asker, Desk, Row, Scope, Store, Terms, payer_of
from parallel_mcp.settings import Settings
from parallel_mcp.stores.redis import SCHEMES, RedisStore
from parallel_mcp.stores.sqlite import SQLiteStore
from parallel_mcp.tasks import Tasks
from parallel_mcp.tools import Works

logger = logging.getLogger(__name__)

NAME = "parallel-mcp"
LONG = CacheHint(ttl_ms=3_600_000, scope="public")
PAGE = 50

INSTRUCTIONS = (
    "web_answer answers from the web in seconds. deep_research takes longer and gives citations with excerpts and "
    "confidence; when it returns status working, call it again with research_id. Ask complete questions."
)


def _icon(path: str) -> Icon:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#555" '
        f'stroke-width="2" stroke-linecap="round"><path d="{path}"/></svg>'
    )
    return Icon(src=f"data:image/svg+xml,{quote(svg)}", mime_type="image/svg+xml", sizes=["any"])


_BOLT = _icon("M13 2 4 14h7l-1 8 9-12h-7z")
_LENS = _icon("M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l6 6M8 10h4M10 8v4")


class CheckedTool(Tool):
    """A tool that answers every expected failure in our own words, as a result that is an error."""

    @classmethod
    def of(cls, fn: Callable[..., Any], title: str, icon: Icon) -> "CheckedTool":
        """The tool for a function; its docstring is the description, unknown arguments are refused."""
        tool = cls.from_function(
            fn,
            title=title,
            description=inspect.getdoc(fn),
            annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True),
            icons=[icon],
        )
        checked = cast("CheckedTool", tool)
        known = checked.fn_metadata.arg_model
        strict = cast(
            "type[ArgModelBase]", type(known.__name__, (known,), {"model_config": ConfigDict(extra="forbid")})
        )
        checked.fn_metadata.arg_model = strict
        checked.parameters = published(strict.model_json_schema())
        checked.fn_metadata.output_schema = published(checked.fn_metadata.output_schema or {})
        return checked

    async def run(self, arguments: dict[str, Any], context: Any, convert_result: bool = False) -> Any:
        """The result. Only protocol errors are raised; text that reaches a model is ours."""
        with telemetry.called(self.name) as call:
            return await self._run(arguments, context, convert_result, call)

    async def _run(self, arguments: dict[str, Any], context: Any, convert_result: bool, call: telemetry.Call) -> Any:
        try:
            given = self.fn_metadata.arg_model.model_validate(_unpacked(arguments)).model_dump_one_level()
        except ValidationError as error:
            call.failed(errors.ArgumentError.kind)
            return refused(_argument_words(error, list(self.parameters["properties"])))
        try:
            result = await self.fn(**given, **{cast("str", self.context_kwarg): context})
            call.gave(result.structured_content)
            return self.fn_metadata.convert_result(result) if convert_result else result
        except ParallelError as error:
            call.failed(error.kind)
            return refused(str(error))
        except MCPError:
            raise
        except Exception:
            call.failed("unforeseen")
            logger.exception("%s failed in a way that nobody foresaw", self.name)
            return refused("This server failed in a way that nobody foresaw; its log says how. Try once more.")


def refused(text: str) -> CallToolResult:
    """An error as a tool result: text only, for hosts validate structured content even on errors."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _unpacked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as given, but for a schema that some hosts send as JSON text."""
    schema = arguments.get("output_schema")
    if isinstance(schema, str):
        try:
            return {**arguments, "output_schema": json.loads(schema)}
        except (ValueError, RecursionError):
            pass
    return dict(arguments)


def _argument_words(error: ValidationError, known: list[str]) -> str:
    words: list[str] = []
    for item in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        name = clean(".".join(str(part) for part in item["loc"][:1]), 60)
        said = _ARGUMENT_WORDS.get(item["type"], ": " + item["msg"].replace("Input should", "it should"))
        words.append(name + said)
    return f"The arguments do not fit: {'; '.join(dict.fromkeys(words))}. Known arguments: {', '.join(known)}."


_ARGUMENT_WORDS = {
    "missing": " is missing",
    "extra_forbidden": " is unknown",
    "string_type": " must be a string",
    "dict_type": " must be a JSON object",
    "bool_type": " must be true or false",
    "bool_parsing": " must be true or false",
}


class Server(MCPServer[Works]):
    """MCPServer with the history listed as a resource; what it holds depends on who reads it.

    `works` is there once the lifespan has begun.
    """

    works: Works | None = None

    async def list_resources(self) -> list[ListedResource]:
        """One entry, the same for everybody: what is behind it is read per caller."""
        return [
            ListedResource(
                uri="research://",
                name="history",
                title="Research history",
                description="Your research, newest first; further pages at research://?before=ID",
                mime_type="application/json",
            )
        ]


def build(settings: Settings) -> Server:
    """The server. Its lifespan opens the HTTP client, the store and the desk."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Works]) -> AsyncIterator[Works]:
        async with opened(settings) as works:
            server.works = works
            yield works

    checked = [
        CheckedTool.of(tools.web_answer, "Web answer", _BOLT),
        CheckedTool.of(tools.deep_research, "Deep research", _LENS),
    ]
    server = Server(
        NAME,
        title="Parallel",
        instructions=INSTRUCTIONS,
        version=version(NAME),
        website_url="https://parallel.ai",
        tools=list(checked),
        cache_hints={
            "tools/list": LONG,
            "resources/list": LONG,
            "resources/templates/list": LONG,
            "prompts/list": LONG,
            "server/discover": LONG,
        },
        subscriptions=False,
        # Where nobody has set logging up, the SDK does: at INFO httpx2 would log a line for each request.
        log_level="WARNING",
        middleware=[_unknown_names({tool.name for tool in checked})],
        extensions=[Tasks(settings.retention_days)],
        lifespan=lifespan,
    )
    _add_resources(server)
    return server


def _unknown_names(known: set[str]) -> ServerMiddleware[Any]:
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


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Works]:
    """Everything that a call needs, open for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        base_url, origin, key = settings.base_url.rstrip("/"), settings.base_url.rstrip("/"), _key(settings)
        if settings.sandbox:
            options = sandbox.SandboxOptions(corpus=settings.corpus, requests_per_minute=0)
            base_url = await stack.enter_async_context(sandbox.running(options))
            origin, key = " ".join(["sandbox", *settings.corpus]), "sandbox"
        http = await stack.enter_async_context(open_http(base_url))
        store = await stack.enter_async_context(open_store(settings))
        window = store.window if isinstance(store, RedisStore) else None
        table = prices.FREE if settings.sandbox else prices.PRICES
        client = ChatClient(
            http,
            Pacing(settings.requests_per_minute, window),
            timeouts=settings.timeouts,
            prices=table,
            stream=settings.stream,
            answer_citations=settings.answer_citations,
        )
        terms = Terms(table, settings.daily_budget_usd, settings.reuse_seconds)
        desk = await stack.enter_async_context(Desk(client, store, terms).open())
        yield Works(
            desk=desk,
            who=_who(origin, key, bring_your_own=settings.bring_your_own_key),
            wait_seconds=settings.wait_seconds,
            max_model=settings.max_model,
            max_result_chars=settings.max_result_chars,
            heartbeat_seconds=settings.heartbeat_seconds,
        )


def _key(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key else None


def _who(origin: str, own_key: str | None, *, bring_your_own: bool) -> Callable[[Context[Works, Any]], Asker]:
    """Who is calling: what http.py found out, or on stdio the one local caller.

    Over HTTP this server's own key is never spent where callers bring theirs.
    """

    def who(ctx: Context[Works, Any]) -> Asker:
        request = ctx.request_context.request
        caller, brought = getattr(getattr(request, "state", None), "caller", ("local", None))
        key = brought if bring_your_own and request is not None else own_key
        if key is None:
            raise errors.KeyMissing
        return Asker(Scope(caller, payer_of(key, origin), origin), key, brought=brought is not None)

    return who


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """The store that the settings name; it is opened at its first use, so that a server starts without it."""
    store = _store(settings.store_url, settings.retention_days)
    try:
        yield store
    finally:
        await store.close()


def _store(url: str, retention_days: float) -> RedisStore | SQLiteStore:
    if url.startswith(SCHEMES):
        return RedisStore(url, retention_days=retention_days)
    path = None if url == "memory:" else Path(url.removeprefix("sqlite:///")).expanduser()
    return SQLiteStore(path, retention_days=retention_days)


def _add_resources(server: Server) -> None:
    @server.resource(
        "research://{?before}",
        name="history",
        title="Research history",
        description="Your research, newest first, 50 a page; before is the last id of the page before",
        mime_type="application/json",
    )
    async def history(ctx: Context[Works, Any], before: str | None = None) -> str:
        rows = await _read(ctx, lambda desk, asker: desk.store.list(asker.scope, before, PAGE))
        page = [tools.research_of(row).model_dump(mode="json", exclude={"answer"}) for row in rows]
        following = f"research://?before={rows[-1].research_id}" if len(rows) == PAGE else None
        return json.dumps({"research": page, "next": following}, ensure_ascii=False)

    @server.resource("research://{research_id}/md", name="research-markdown", mime_type="text/markdown")
    async def as_markdown(research_id: str, ctx: Context[Works, Any]) -> str:
        """A research as Markdown, whole."""
        return markdown(tools.research_of(await _row(ctx, research_id)))

    @server.resource("research://{research_id}/json", name="research-json", mime_type="application/json")
    async def as_json(research_id: str, ctx: Context[Works, Any]) -> str:
        """A research as JSON, whole."""
        return tools.research_of(await _row(ctx, research_id)).model_dump_json()


async def _read(ctx: Context[Works, Any], read: Callable[[Desk, Asker], Any]) -> Any:
    works = ctx.request_context.lifespan_context
    try:
        return await read(works.desk, works.who(ctx))
    except ParallelError as error:
        raise ResourceError(str(error)) from error


async def _row(ctx: Context[Works, Any], research_id: str) -> Row:
    row = await _read(ctx, lambda desk, asker: desk.store.get(research_id, asker.scope))
    if row is None:
        raise ResourceNotFoundError(str(errors.UnknownResearch(research_id)))
    return cast("Row", row)
