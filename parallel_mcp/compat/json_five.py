"""json-five parses JSON with comments into a tree, but has no public way to ask where a node stands (json-five 1.1)."""

from typing import Any


def span(node: Any) -> tuple[int, int]:
    """The first character of a node and the one after its last."""
    return node._tok.index, (node._end_tok or node._tok).end
