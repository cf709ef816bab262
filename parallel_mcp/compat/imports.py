"""Over pipes, too, mcp loads sse_starlette, and that loads uvicorn where it is installed (mcp 2.3, sse-starlette 3)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_uvicorn() -> Iterator[None]:
    """What is imported in this block does without uvicorn. Some 80 ms, and 5 MB in every engine."""
    if "uvicorn" in sys.modules:
        yield
        return
    sys.modules["uvicorn"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["uvicorn"]
