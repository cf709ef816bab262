"""What the report page is told about a run in progress: when to ask again, and how long such runs take."""

from typing import Any

from parallel_mcp.models import Model


def waiting_meta(model: Model) -> dict[str, Any]:
    """The `_meta` of a result whose status is "working"."""
    least, most = model.usual_seconds
    waiting = {"pollSeconds": model.poll_ms / 1000, "usualFrom": least, "usualTo": most}
    return {"parallel-mcp/waiting": waiting}
