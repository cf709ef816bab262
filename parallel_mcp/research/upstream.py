"""What this process last heard from Parallel, for the health check."""

import time
from dataclasses import dataclass

from parallel_mcp import errors
from parallel_mcp.errors import ParallelError


@dataclass(slots=True)
class UpstreamHealth:
    """What was last heard: nothing yet, that Parallel answers, or that it has failed since a time in Unix seconds."""

    anything: bool = False
    failing_since: float | None = None

    def note(self, error: ParallelError | None, *, brought: bool) -> None:
        """Note an answer (None) or an error. A refused key that the caller brought says nothing about Parallel."""
        if isinstance(error, errors.RateRefused) or not isinstance(error, errors.UpstreamError | None):
            return
        failing = isinstance(error, _DOWN) or (isinstance(error, _OWN_ACCOUNT) and not brought)
        self.anything = True
        self.failing_since = (self.failing_since or time.time()) if failing else None


_DOWN = (
    errors.ConnectFailed,
    errors.ServiceFailed,
    errors.AnswerTimedOut,
    errors.ConnectionLost,
    errors.AnswerUnreadable,
)

_OWN_ACCOUNT = (errors.KeyRefused, errors.CreditRefused, errors.AccessRefused)
