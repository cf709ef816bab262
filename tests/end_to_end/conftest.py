import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package")
def deep_enough() -> Iterator[None]:
    """Stack space for the threads that serialize deep cases, which only the server may find too deep."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    yield
    sys.setrecursionlimit(usual)
