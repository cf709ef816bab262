"""Who asks and who pays: the scope of a row, and the key behind it."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Who may see a row, whose key is billed, and which origin is asked. Nobody sees across scopes."""

    caller: str
    payer: str
    origin: str


@dataclass(frozen=True, slots=True)
class Principal:
    """A scope with the key that pays for it; the key is never stored, logged or shown.

    `brought` where the caller sent the key with the call, so that nobody here vouches for it.
    """

    scope: Scope
    key: str = field(repr=False)
    brought: bool = False


def payer_of(key: str, origin: str) -> str:
    """A name for a key at an origin from which the key cannot be found."""
    return hmac.new(key.encode(), f"parallel-mcp payer\n{origin}".encode(), hashlib.sha256).hexdigest()[:32]


def caller_of(key: str) -> str:
    """The caller that brings their own key."""
    return "key-" + hmac.new(key.encode(), b"parallel-mcp caller", hashlib.sha256).hexdigest()[:32]
