"""Who asks and who pays: the scope of a row, and the key behind it."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Who may see a row, whose key is billed, and which origin is asked. Rows are never visible across scopes."""

    caller: str
    payer: str
    origin: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A scope with the key that pays for it. The key is never stored, logged or shown.

    `brought` is True if the caller sent the key with the call, so that it is not known to be valid.
    """

    scope: Scope
    key: str = field(repr=False)
    brought: bool = False


def payer_of(key: str, origin: str) -> str:
    """A name for a key at an origin. The key cannot be recovered from it."""
    return hmac.new(key.encode(), f"parallel-mcp payer\n{origin}".encode(), hashlib.sha256).hexdigest()[:32]


def caller_of(key: str) -> str:
    """The name of the caller who brings this key."""
    return "key-" + hmac.new(key.encode(), b"parallel-mcp caller", hashlib.sha256).hexdigest()[:32]
