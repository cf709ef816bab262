"""What a tool works with: the lifespan's context."""

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
    """What a tool works with: the lifespan's context. `who` says who is calling, or raises NotReady."""

    service: ResearchService
    who: Callable[[Any], Principal]
    waits: Waits
    answer_model: Model
    default_model: Model
    max_model: Model
    max_result_chars: int
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    deliveries: Deliveries = field(default_factory=Deliveries)


def client_of(ctx: Context[AppContext, Any], principal: Principal) -> Client:
    """Whose call it is, by the name that the client gives itself; empty where it gives none."""
    params = ctx.request_context.session.client_params
    return Client(principal.scope.caller, params.client_info.name if params is not None else "")


def app_of(ctx: Context[AppContext, Any]) -> AppContext:
    """What the lifespan opened."""
    return ctx.request_context.lifespan_context
