"""Cancellation that leaves a moment for an answer that has just arrived."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from parallel_mcp.errors import UpstreamError

T = TypeVar("T")

GRACE_SECONDS = 0.1
"""How long a cancelled request is read on, for an answer that has just arrived."""


async def finish_within_grace(work: Callable[[], Awaitable[T]]) -> T:
    """What the work gives; a cancellation reaches it `GRACE_SECONDS` later.

    A response may be whole in this machine's buffers when its reader is cancelled, and it was paid
    for: so the reader goes on for a moment, and what it then has is kept.
    """
    results: list[T] = []
    failure: Exception | None = None
    shield = anyio.CancelScope(shield=True)

    async def shorten() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            shield.deadline = min(shield.deadline, anyio.current_time() + GRACE_SECONDS)

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(shorten)
            with shield:
                # Errors are carried out of the group, which would wrap them.
                try:
                    results.append(await work())
                except UpstreamError as error:
                    # The frames that it came through hold upstream's words as they were.
                    failure = error.with_traceback(None)
                except Exception as error:
                    failure = error
            group.cancel_scope.cancel()
    except anyio.get_cancelled_exc_class():
        if not results:
            raise
    if failure is not None:
        raise failure
    if not results:
        await anyio.lowlevel.checkpoint()
    return results[0]
