"""The SDK treats a request whose id is null, a fraction or a boolean as a notification: it gets no answer (mcp 2.3)."""

from typing import Any

BAD_ID = "The id of a request must be a string or a whole number"


def has_bad_id(message: Any) -> bool:
    """Whether this is a request whose id makes it impossible to answer."""
    if not isinstance(message, dict) or "method" not in message or "id" not in message:
        return False
    return isinstance(message["id"], bool) or not isinstance(message["id"], str | int)
