"""Whether a caller asked for progress, which the SDK does not expose (mcp 2.3). If not, nothing has to be reported."""

from mcp.server.session import ServerSession

# Of the dispatchers over pipes and over HTTP, and of the one inside a process.
_ASKED_FOR = ("_progress_token", "progress_token", "_on_progress")


def wants_progress(session: ServerSession) -> bool:
    """Whether progress reported now would reach anybody. True if that is unknown."""
    outbound = session._request_outbound
    known = [getattr(outbound, name) for name in _ASKED_FOR if hasattr(outbound, name)]
    return not known or any(asked is not None for asked in known)
