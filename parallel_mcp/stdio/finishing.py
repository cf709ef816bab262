"""Finishes research runs whose front is gone, in a few engines at a time."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from parallel_mcp.research import ResearchService

if sys.platform != "win32":
    import fcntl

MAX_ENGINES = 8
"""How many engines may finish at a time on one store; each takes about 80 MB."""

STORING_SECONDS = 60.0
"""Time for pacing before a request and storing after it, added to its model's timeout."""


class Finishing:
    """Finishes an engine's research runs once its front is gone.

    `timeouts` are the seconds that a request may take, by model. The engines of one store are counted by locks on
    `file`, which end with the processes that hold them.
    """

    def __init__(self, file: Path, timeouts: Mapping[str, float]) -> None:
        self._file = file
        self._limits = {model: seconds + STORING_SECONDS for model, seconds in timeouts.items()}

    async def finish(self, service: ResearchService) -> None:
        """Finish the runs in progress. If enough engines do so already, return; their leases are then released."""
        if not service.is_working:
            return
        with _place(self._file) as free:
            if free:
                await service.finish(self._limits)


@contextmanager
def _place(file: Path) -> Iterator[bool]:
    """Whether a place was free; it is held during the block. If places cannot be counted, all are free."""
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
