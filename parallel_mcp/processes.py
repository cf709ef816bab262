"""Work that could take hours, such as checking a hostile schema, is done in a process, which can be killed."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_process

T = TypeVar("T")


async def run(work: Callable[[], T], slots: anyio.CapacityLimiter, seconds: float | None) -> T:
    """Call `work` in a process, for at most `seconds` from when one of the `slots` is free.

    Raises TimeoutError, or BrokenWorkerProcess or OSError if no process could be started.
    """
    async with slots:
        with anyio.fail_after(seconds):
            # The default limiter is shared by everything in this process, and is waited for inside the deadline.
            return await anyio.to_process.run_sync(work, cancellable=True, limiter=anyio.CapacityLimiter(1))
