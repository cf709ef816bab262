"""For the SDK, any text is a port where its lists of hosts and origins say `name:*` (mcp 2.3)."""

import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

_AUTHORITY = r"(\[[0-9a-fA-F:.]+\]|[^\[\]@:/?#\s]*)(:[0-9]+)?"


def malformed(headers: Headers) -> Response | None:
    """The refusal of a Host or Origin header that is not a name and a port."""
    if not re.fullmatch(_AUTHORITY, headers.get("host", "")):
        return PlainTextResponse("Invalid Host header", status_code=421)
    if not re.fullmatch(f"null|[a-zA-Z][a-zA-Z0-9+.-]*://{_AUTHORITY}", headers.get("origin", "null")):
        return PlainTextResponse("Invalid Origin header", status_code=403)
    return None
