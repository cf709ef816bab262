"""json-five parses JSON with comments into a tree, but has no public way to get a node's position (json-five 1.1)."""

from typing import Any


def span(node: Any) -> tuple[int, int]:
    """The start and end position of a node."""
    return node._tok.index, (node._end_tok or node._tok).end
