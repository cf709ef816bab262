"""What the report page is told of a run that still works: when to ask again, and how long such runs take."""

from typing import Any

from parallel_mcp.models import ResearchModel

POLL_SECONDS: dict[ResearchModel, int] = {"lite": 2, "base": 3, "core": 5}
USUAL_SECONDS: dict[ResearchModel, tuple[int, int]] = {"lite": (10, 60), "base": (15, 100), "core": (60, 300)}


def waiting_meta(model: ResearchModel) -> dict[str, Any]:
    """The `_meta` of a result whose status is "working"."""
    least, most = USUAL_SECONDS[model]
    waiting = {"pollSeconds": POLL_SECONDS[model], "usualFrom": least, "usualTo": most}
    return {"parallel-mcp/waiting": waiting}
