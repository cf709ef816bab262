"""The lifespan's context, which every tool works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import Context

from parallel_mcp.hosts.waits import Client, Waits
from parallel_mcp.models import Model
from parallel_mcp.research import Principal, ResearchService
from parallel_mcp.tools.deliveries import Deliveries

HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class AppContext:
    """The lifespan's context. `who` returns the caller of a request, or raises NotReady."""

    service: ResearchService
    who: Callable[[Any], Principal]
    waits: Waits
    answer_model: Model
    default_model: Model
    max_model: Model
    max_result_chars: int
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    deliveries: Deliveries = field(default_factory=Deliveries)


MAX_NAME_CHARS = 100
"""Of a client's name: it is kept, and its length is the client's choice."""


def client_of(ctx: Context[AppContext, Any], principal: Principal) -> Client:
    """The client that made the call, by the name it gives itself, or an empty name."""
    params = ctx.request_context.session.client_params
    return Client(principal.scope.caller, params.client_info.name[:MAX_NAME_CHARS] if params is not None else "")


def app_of(ctx: Context[AppContext, Any]) -> AppContext:
    """The context that the lifespan opened."""
    return ctx.request_context.lifespan_context
