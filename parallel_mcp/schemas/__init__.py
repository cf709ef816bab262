"""A caller's output schema: lint, lenient reading of JSON text, validation.

The limits in `lint` are those that Parallel documents for output schemas of its research models, plus a few of our
own that keep the local check cheap. A place in a schema is written as a JSON pointer, `#/properties/a/items`; a place
in an answer as in basis entries, `founders.0.name`.
"""

from parallel_mcp.schemas.lint import lint
from parallel_mcp.schemas.meant import as_meant
from parallel_mcp.schemas.reading import read, unwrapped
from parallel_mcp.schemas.validation import problems

__all__ = ["as_meant", "lint", "problems", "read", "unwrapped"]
