"""Progress while a call works."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from mcp.server.mcpserver import Context

from parallel_mcp.compat.progress import wants_progress
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Model
from parallel_mcp.research import ResearchRun
from parallel_mcp.tools.context import AppContext, app_of

T = TypeVar("T")

_MESSAGE_CHARS = 180


def opening_message(model: Model) -> str:
    """The progress message of a research run before the first word of its answer."""
    return f"Researching with {model}, which usually takes {model.usual_time}"


async def with_progress(ctx: Context[AppContext, Any], begin: str, work: Callable[["Reporter"], Awaitable[T]]) -> T:
    """Do the work while reporting progress to a host that asked for it: at once, on new words, and at intervals.

    Values are seconds and strictly increase; nothing is reported after the work is done.
    """
    reporter = Reporter(ctx, begin)
    if not wants_progress(ctx.request_context.session):
        return await work(reporter)
    failure: ParallelError | None = None
    result: list[T] = []
    async with anyio.create_task_group() as group:
        group.start_soon(reporter.run, app_of(ctx).heartbeat_seconds)
        try:
            result.append(await work(reporter))
        except ParallelError as error:
            # Raised outside the group, which would wrap it.
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result[0]


class Reporter:
    """Reports a call's progress to the host. The clock starts when the run was first asked for, in any call."""

    every_seconds = 0.5

    def __init__(self, ctx: Context[AppContext, Any], begin: str) -> None:
        self._ctx = ctx
        self._began = time.monotonic()
        self._begin = begin
        self._words = ""
        self._news: anyio.Event | None = None

    def works_on(self, row: ResearchRun) -> None:
        """Set the run that is being worked on, once it is known."""
        self._began = min(self._began, time.monotonic() - row.seconds)
        self._begin = opening_message(row.question.model)

    def tell(self, words: str) -> None:
        """Take the newest words of the answer."""
        self._words = words
        if self._news is not None:
            self._news.set()

    async def run(self, heartbeat: float) -> None:
        """Report until cancelled."""
        value = 0.0
        while True:
            elapsed = time.monotonic() - self._began
            value = max(elapsed, value + 0.001)
            self._news = anyio.Event()
            await self._ctx.report_progress(round(value, 3), message=progress(self._begin, self._words, elapsed))
            with anyio.move_on_after(heartbeat):
                await self._news.wait()
            await anyio.sleep(min(self.every_seconds, heartbeat))


def progress(begin: str, words: str, seconds: float) -> str:
    """The progress message: the newest words, or the time so far."""
    words = " ".join(words.split())
    if not words:
        return f"{begin}: {seconds:.0f} s so far"
    return words if len(words) <= _MESSAGE_CHARS else "…" + words[-_MESSAGE_CHARS:]
