"""Limits the requests per minute of each payer, and shares them fairly among its callers."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from parallel_mcp import errors, telemetry

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0

OWN_WINDOW_SECONDS = 5.0
"""How long this process paces alone before it tries the shared window again."""

MIN_WAIT_SECONDS = 0.05

OnProgress = Callable[[str], None]
"""Takes progress text for a person; called often, and must not block."""

SharedWindow = Callable[[str, int, int], Awaitable[float]]
"""The window that replicas share. Takes a payer, its requests per minute and how many calls are ahead. Returns 0 if it
has counted one more request, else the seconds until there is room. If any call is ahead, it counts nothing. Raises
StoreFailed.
"""


class LocalWindow:
    """Each payer's requests in the last minute, by this process's monotonic clock."""

    def __init__(self) -> None:
        self._hits: dict[str, deque[float]] = {}
        self._swept = time.monotonic()

    def take(self, payer: str, per_minute: int, ahead: int) -> float:
        """See SharedWindow."""
        now = time.monotonic()
        if now - self._swept >= WINDOW_SECONDS:
            # Forget payers that no longer send anything.
            self._swept = now
            self._hits = {name: hits for name, hits in self._hits.items() if hits and now - hits[-1] < WINDOW_SECONDS}
        hits = self._hits.setdefault(payer, deque())
        while hits and now - hits[0] >= WINDOW_SECONDS:
            hits.popleft()
        if len(hits) + ahead < per_minute:
            if not ahead:
                hits.append(now)
            return 0.0
        minutes, place = divmod(len(hits) + ahead - per_minute, per_minute)
        sent_at = hits[place] if place < len(hits) else now
        return sent_at + (minutes + 1) * WINDOW_SECONDS - now


class _Line:
    """The calls that wait for one payer. Its callers take turns; each caller's calls keep their order."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def join(self, caller: str) -> anyio.Event:
        """Join the end of the caller's own queue. The event is set when this call is first in line."""
        event = anyio.Event()
        self._waiting.setdefault(caller, deque()).append(event)
        self._call_first()
        return event

    def ahead(self, caller: str, event: anyio.Event) -> int:
        """How many calls go before this one."""
        own = self._waiting[caller].index(event)
        before = own
        own_turn_passed = False
        for other, row in self._waiting.items():
            if other == caller:
                own_turn_passed = True
            else:
                before += min(len(row), own if own_turn_passed else own + 1)
        return before

    def leave(self, caller: str, event: anyio.Event) -> None:
        """Leave the line, after sending or giving up; the next caller is then first."""
        row = self._waiting[caller]
        was_first = row[0] is event and next(iter(self._waiting)) == caller
        row.remove(event)
        if not row:
            del self._waiting[caller]
        elif was_first:
            self._waiting.move_to_end(caller)
        self._call_first()

    def _call_first(self) -> None:
        if self._waiting:
            next(iter(self._waiting.values()))[0].set()


@dataclass(slots=True)
class Pacing:
    """At most `per_minute` requests per payer within any 60 seconds, counted in this process or in a shared window.

    When the limit is reached, a payer's callers take turns, so that a burst from one delays the others by no more
    than its share. While `shared` fails, this process counts alone.
    """

    per_minute: int
    shared: SharedWindow | None = None
    _local: LocalWindow = field(default_factory=LocalWindow)
    _lines: dict[str, _Line] = field(default_factory=dict)
    _shared_again_at: float = 0.0

    async def turn(self, payer: str, caller: str, on_progress: OnProgress, max_wait: float | None) -> None:
        """Wait until a request may be sent. Raises PacingFull rather than wait more than `max_wait` seconds."""
        if payer not in self._lines and not await self._take(payer, 0):
            telemetry.waited(0.0)
            return
        began = time.monotonic()
        line = self._lines.setdefault(payer, _Line())
        place = line.join(caller)
        try:
            while (wait := await self._take(payer, ahead := line.ahead(caller, place))) or ahead:
                if max_wait is not None and time.monotonic() - began + wait > max_wait:
                    raise errors.PacingFull(self.per_minute, wait)
                if wait:
                    on_progress(f"Waiting {wait:.0f} s: the limit of {self.per_minute} requests a minute is reached")
                # A call that is not first is woken when it becomes first.
                with anyio.move_on_after(min(max(wait, MIN_WAIT_SECONDS), WINDOW_SECONDS)):
                    await (place.wait() if ahead else anyio.sleep_forever())
        finally:
            line.leave(caller, place)
            if not line:
                del self._lines[payer]
            telemetry.waited(time.monotonic() - began)

    async def _take(self, payer: str, ahead: int) -> float:
        """Zero if the payer may send now, which is counted; else the seconds until there is room."""
        if self.shared is not None and time.monotonic() >= self._shared_again_at:
            try:
                return await self.shared(payer, self.per_minute, ahead)
            except errors.StoreFailed as error:
                self._shared_again_at = time.monotonic() + OWN_WINDOW_SECONDS
                logger.warning("Requests are paced by this process alone, because the shared window failed: %s", error)
        return self._local.take(payer, self.per_minute, ahead)
