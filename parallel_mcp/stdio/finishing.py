"""Finishing research runs whose front is gone, by a few engines at a time."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from parallel_mcp.research import ResearchService

if sys.platform != "win32":
    import fcntl

MAX_ENGINES = 8
"""How many may finish at a time on one store: each takes some 80 MB."""

STORING_SECONDS = 60.0
"""What pacing before a request and storing after it may take, beyond the time that its model has."""


class Finishing:
    """What an engine does once its front is gone.

    `timeouts` are the seconds that a request may take, by model. `file` is where the engines of one store count
    themselves; the locks in it end with the processes that hold them.
    """

    def __init__(self, file: Path, timeouts: Mapping[str, float]) -> None:
        self._file = file
        self._limits = {model: seconds + STORING_SECONDS for model, seconds in timeouts.items()}

    async def finish(self, service: ResearchService) -> None:
        """Finish what is under way, unless enough engines do so already; their leases are then given back."""
        if not service.is_working:
            return
        with _place(self._file) as free:
            if free:
                await service.finish(self._limits)


@contextmanager
def _place(file: Path) -> Iterator[bool]:
    """Whether one of the places was free; it is ours meanwhile. Where they cannot be counted, all are free."""
    if sys.platform == "win32":
        yield False
        return
    try:
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        yield any(_locked(fd, place) for place in range(MAX_ENGINES))
    finally:
        os.close(fd)


def _locked(fd: int, place: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError:
        return False
    return True
