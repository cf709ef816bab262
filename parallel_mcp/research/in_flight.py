"""Requests that this process has in flight, and the calls that watch them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import anyio

from parallel_mcp import telemetry
from parallel_mcp.client import OnProgress
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Answer
from parallel_mcp.research.records import Outcome, ResearchRun

GRACE_SECONDS = 0.1
"""How long to keep reading a sent request after it was stopped, in case its answer has just arrived."""


@dataclass(slots=True, eq=False, kw_only=True)
class InFlight:
    """A request that this process has in flight, and the calls that watch it.

    It runs inside `scope`, which only `stop` ends: when the process is told to exit, a complete response that was
    paid for may already be in this machine's buffers.
    """

    ended: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))
    watchers: dict[object, OnProgress] = field(default_factory=dict)
    words: str = ""
    sent: bool = False
    call: telemetry.Place = field(default_factory=telemetry.here)
    """The call that sent it, for the traces of those that join."""

    def on_progress(self, words: str) -> None:
        """Pass progress on to every watcher."""
        self.words = words
        for watcher in tuple(self.watchers.values()):
            watcher(words)

    def mark_sent(self) -> None:
        """The request is about to leave."""
        self.sent = True

    def stop(self) -> None:
        """End it: after `GRACE_SECONDS` if it was sent, otherwise at once."""
        if self.sent:
            self.scope.deadline = min(self.scope.deadline, anyio.current_time() + GRACE_SECONDS)
        else:
            self.scope.cancel()

    @contextmanager
    def watched(self, on_progress: OnProgress) -> Iterator[None]:
        """Watch it inside the block. The latest progress is reported at once."""
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
    """A request for a row. It has ended once the row is stored, or once its outcome is known but the store fails.

    `row` is the row as this process last read or wrote it.
    """

    row: ResearchRun
    began_at: float = field(default_factory=time.time)
    """Unix seconds. The event loop's clock may stop while the machine sleeps."""
    outcome: Outcome | None = None
    refused: bool = False
    """Whether Parallel refused a key that the caller brought. Such a research run leaves no row."""
    _read_at: float = field(default_factory=anyio.current_time)
    _finished_at: float | None = None

    def finish(self, outcome: Outcome) -> None:
        """Note how the request ended."""
        self.outcome = outcome
        self._finished_at = self._now()

    def store(self, row: ResearchRun) -> None:
        """Note the row as stored with its outcome."""
        self.row = row
        self._read_at = anyio.current_time()

    @property
    def age(self) -> float:
        """Seconds since this process started it, by the wall clock."""
        return time.time() - self.began_at

    def _now(self) -> float:
        """The store's time, as far as this process knows it."""
        return self.row.read_at + anyio.current_time() - self._read_at

    def snapshot(self) -> ResearchRun:
        """The row as this process knows it. An outcome that is still being stored does not count yet.

        So a run that was said to have finished says the same at every later look.
        """
        row = replace(self.row, read_at=self._now())
        if self.outcome is None or row.status != "working" or not self.ended.is_set():
            return row
        return replace(
            row,
            status="completed" if self.outcome.answer is not None else "failed",
            finished_at=self._finished_at,
            answer=self.outcome.answer,
            error=self.outcome.error,
            may_be_billed=self.outcome.may_be_billed,
        )


@dataclass(slots=True, eq=False, kw_only=True)
class AnswerInFlight(InFlight):
    """A request without a row."""

    answer: Answer | None = None
    error: ParallelError | None = None
