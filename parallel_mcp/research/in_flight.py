"""Requests of this process that are under way, and the calls that watch them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import anyio

from parallel_mcp import telemetry
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Answer
from parallel_mcp.research.records import Outcome, ResearchRun

OnProgress = Callable[[str], None]


@dataclass(slots=True, eq=False, kw_only=True)
class InFlight:
    """A request of this process that is under way, and the calls that watch it."""

    ended: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    watchers: dict[object, OnProgress] = field(default_factory=dict)
    words: str = ""
    sent: bool = False
    call: telemetry.Place = field(default_factory=telemetry.here)
    """The call that sent it, for the traces of those that join."""

    def tell(self, words: str) -> None:
        """Pass words of progress on to everyone who watches."""
        self.words = words
        for watcher in tuple(self.watchers.values()):
            watcher(words)

    def mark_sent(self) -> None:
        """The request is about to leave."""
        self.sent = True

    @contextmanager
    def watched(self, on_progress: OnProgress) -> Iterator[None]:
        """Watch it for a while; the words so far come at once."""
        watcher = object()
        self.watchers[watcher] = on_progress
        try:
            if self.words:
                on_progress(self.words)
            yield
        finally:
            del self.watchers[watcher]


@dataclass(slots=True, eq=False, kw_only=True)
class ResearchInFlight(InFlight):
    """A request for a row. It has ended when the row is stored, or when its end is known and the store fails."""

    row: ResearchRun
    began: float = field(default_factory=anyio.current_time)
    began_at: float = field(default_factory=time.time)
    """By the wall clock, in Unix seconds: the loop's own may stand still while the machine sleeps."""
    outcome: Outcome | None = None
    refused: bool = False
    """Whether Parallel refused a brought key: such a research leaves no row."""

    @property
    def age(self) -> float:
        """Seconds since this process began it, by the wall clock."""
        return time.time() - self.began_at

    def snapshot(self) -> ResearchRun:
        """The row as this process knows it, whether or not the store does."""
        now = self.row.read_at + anyio.current_time() - self.began
        row = replace(self.row, read_at=now)
        if self.outcome is None:
            return row
        return replace(
            row,
            status="completed" if self.outcome.answer is not None else "failed",
            finished_at=now,
            answer=self.outcome.answer,
            error=self.outcome.error,
            may_be_billed=self.outcome.may_be_billed,
        )


@dataclass(slots=True, eq=False, kw_only=True)
class AnswerInFlight(InFlight):
    """A request without a row."""

    answer: Answer | None = None
    error: ParallelError | None = None
