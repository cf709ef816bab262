import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package")
def deep_enough() -> Iterator[None]:
    """Room for the threads that write deep cases out: what is thrown may be too deep, not for us to throw it."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(usual)
