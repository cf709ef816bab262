"""Cleaning text from outside."""

import sys

from parallel_mcp import text


def test_no_character_that_python_calls_printable_is_taken_out() -> None:
    """`clean` returns such text unchecked."""
    printable = "".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1))))
    assert text._ANY.search(printable) is None
    assert text.clean(printable) == printable
