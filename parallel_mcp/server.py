"""`build(settings)` assembles the MCP server. Nothing is opened before its lifespan begins."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, GetPromptResult, Icon, InputRequiredResult
from mcp_types import Resource as ListedResource

from parallel_mcp import errors, tools
from parallel_mcp.client import ChatClient, Pacing, open_http
from parallel_mcp.compat.logging import logging_left_alone
from parallel_mcp.compat.unknown_names import reject_unknown_names
from parallel_mcp.hosts.waits import Waits
from parallel_mcp.models import research_models
from parallel_mcp.prompts import PROMPTS, add_prompts, missing_arguments
from parallel_mcp.research import Principal, ResearchService, Scope, ServiceConfig, Store, payer_of
from parallel_mcp.settings import Settings, is_redis
from parallel_mcp.stores.redis import RedisStore
from parallel_mcp.stores.sqlite import SQLiteStore
from parallel_mcp.tasks import Tasks
from parallel_mcp.tools import AppContext
from parallel_mcp.tools.checked import CheckedTool
from parallel_mcp.tools.page import page_extension
from parallel_mcp.tools.resources import add_resources

NAME = "parallel-mcp"

LONG = CacheHint(ttl_ms=3_600_000, scope="public")

INSTRUCTIONS = (
    "web_answer answers from the web in seconds. deep_research takes longer and gives citations with excerpts and "
    "confidence; when it returns status working, call it again with research_id. Ask complete questions."
)


def _icon(path: str) -> Icon:
    """A filled shape on a 9 by 9 grid, in as few bytes as possible, because every listing carries it."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0,0,9,9'><path fill='gray' d='{path}'/></svg>"
    return Icon(src=f"data:image/svg+xml,{quote(svg, safe=_AS_IS)}")


_AS_IS = "/:=',"


_BOLT = _icon("M5,0,1,5h3L3,9l5-6H5z")

_LENS = _icon("M4,0a4,4,0,1,0,2,7l2,2,1-1-2-2A4,4,0,0,0,4,0")


class Server(MCPServer[AppContext]):
    """MCPServer that lists the history as a resource; its contents depend on the caller.

    `app` is set once the lifespan has begun.
    """

    app: AppContext | None = None

    async def list_resources(self) -> list[ListedResource]:
        """One entry, the same for every caller; each caller reads their own runs through it."""
        return [
            ListedResource(
                uri="research://",
                name="history",
                title="Research history",
                description="Your research runs, newest first; further pages at research://?before=ID",
                mime_type="application/json",
            )
        ]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[AppContext, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Fill in a prompt. A missing argument is reported as invalid params; mcp 2.3 calls it an internal error."""
        if missing := missing_arguments(name, arguments or {}):
            raise MCPError(INVALID_PARAMS, f"{name} needs {', '.join(missing)}")
        return await super().get_prompt(name, arguments, context)


def build(settings: Settings, fault: str | None = None) -> Server:
    """Build the server. Its lifespan opens the HTTP client, the store and the research service.

    `fault` describes settings that were invalid and left out of `settings`; every call is answered with it.
    """

    @asynccontextmanager
    async def lifespan(_: MCPServer[AppContext]) -> AsyncIterator[AppContext]:
        async with open_app(settings, fault) as app:
            server.app = app
            yield app

    model = tools.model_argument(settings.max_model, settings.research_model)
    checked = [
        CheckedTool.of(tools.web_answer, "Web answer", _BOLT),
        CheckedTool.of(tools.deep_research, "Deep research", _LENS, model=model),
    ]
    known = {"tools/call": {tool.name for tool in checked}, "prompts/get": set(PROMPTS)}
    with logging_left_alone():
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
            middleware=[reject_unknown_names(known)],
            extensions=[Tasks(settings.retention_days), page_extension()],
            lifespan=lifespan,
        )
    add_resources(server)
    add_prompts(server, research_models(settings.max_model))
    return server


@asynccontextmanager
async def open_app(settings: Settings, fault: str | None = None) -> AsyncIterator[AppContext]:
    """Open everything that a call needs, for the duration of the block."""
    async with AsyncExitStack() as stack:
        base_url, origin, sandbox_key = settings.base_url.rstrip("/"), settings.base_url.rstrip("/"), None
        if settings.sandbox:
            # Imported here because its web server takes about 150 ms and 10 MB, which nothing else needs.
            from parallel_mcp import sandbox

            sandbox_key = secrets.token_urlsafe()
            options = sandbox.SandboxOptions(corpus=settings.corpus, requests_per_minute=0, key=sandbox_key)
            base_url = await stack.enter_async_context(sandbox.running(options))
            origin = " ".join(["sandbox", *settings.corpus])
        http = await stack.enter_async_context(open_http(base_url))
        store = await stack.enter_async_context(open_store(settings))
        window = store.take_turn if isinstance(store, RedisStore) else None
        client = ChatClient(
            http,
            Pacing(settings.requests_per_minute, window),
            timeouts=settings.timeouts,
            prices=settings.known_prices,
            names=settings.model_names,
            elsewhere=not (settings.sandbox or settings.asks_parallel),
            stream=settings.stream,
            answer_citations=settings.answer_citations,
        )
        charged = {model: price or 0.0 for model, price in settings.known_prices.items()}
        config = ServiceConfig(charged, settings.daily_budget_usd, settings.reuse_seconds)
        service = await stack.enter_async_context(ResearchService(client, store, config).open())
        yield AppContext(
            service=service,
            who=_refusing(fault) if fault else _principal_resolver(origin, settings, sandbox_key),
            waits=Waits(settings.wait_seconds),
            answer_model=settings.answer_model,
            default_model=settings.research_model,
            max_model=settings.max_model,
            max_result_chars=settings.max_result_chars,
            heartbeat_seconds=settings.heartbeat_seconds,
        )


def _key(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key else None


def _refusing(fault: str) -> Callable[[Context[AppContext, Any] | None], Principal]:
    def who(_: Context[AppContext, Any] | None) -> Principal:
        raise errors.SettingsWrong(fault)

    return who


def _principal_resolver(
    origin: str, settings: Settings, sandbox_key: str | None
) -> Callable[[Context[AppContext, Any] | None], Principal]:
    """Return a function that resolves the caller: the one http/ authenticated, or `local` on stdio and in the CLI.

    Over HTTP, this server's own key is never used when callers bring theirs. The sandbox in this process accepts only
    `sandbox_key`. That differs from process to process, so it does not identify the payer of its rows.
    """
    own_key = "sandbox" if sandbox_key else _key(settings)
    own_payer = payer_of(own_key, origin) if own_key is not None else ""

    def who(ctx: Context[AppContext, Any] | None) -> Principal:
        request = ctx.request_context.request if ctx is not None else None
        caller, brought = getattr(getattr(request, "state", None), "caller", ("local", None))
        key = brought if settings.bring_your_own_key and request is not None else own_key
        if key is None:
            raise errors.KeyMissing(settings.key_fault)
        payer = own_payer if key is own_key else payer_of(key, origin)
        return Principal(Scope(caller, payer, origin), sandbox_key or key, brought=brought is not None)

    return who


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """The store named in the settings. It opens on first use, so the server starts even if the store cannot open."""
    store = _store(settings.store_url, settings.retention_days)
    try:
        yield store
    finally:
        await store.close()


def _store(url: str, retention_days: float) -> RedisStore | SQLiteStore:
    if is_redis(url):
        return RedisStore(url, retention_days=retention_days)
    path = None if url == "memory:" else Path(url.removeprefix("sqlite:///"))
    return SQLiteStore(path, retention_days=retention_days)
