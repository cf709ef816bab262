"""A caller's output schema: lint, lenient reading of JSON text, validation.

The limits in `lint` are those that Parallel documents for the output schemas of its research models, and a few of
our own that keep the local check cheap. A place in a schema is written as a JSON pointer, `#/properties/a/items`;
a place in an answer as its basis entries write it, `founders.0.name`.
"""

from parallel_mcp.schemas.lint import lint
from parallel_mcp.schemas.meant import as_meant
from parallel_mcp.schemas.reading import read, unwrapped
from parallel_mcp.schemas.validation import problems

__all__ = ["as_meant", "lint", "problems", "read", "unwrapped"]
