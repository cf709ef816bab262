"""At most so many requests a minute for each payer."""

import logging
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import anyio.to_thread
from limits import RateLimitItemPerMinute
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from parallel_mcp import errors, telemetry

logger = logging.getLogger(__name__)

OWN_WINDOW_SECONDS = 5.0
"""How long this process paces for itself before the shared window is asked again."""

OnProgress = Callable[[str], None]
"""Takes words of progress that a person can read; called often, must not block."""


class LocalWindow(Storage, MovingWindowSupport):
    """Moving windows in this process.

    `limits` has a storage for this, which starts a task and a thread at each hit and holds a lock
    meanwhile; here nothing waits, so nothing can be left over at shutdown or hold a request up.
    """

    STORAGE_SCHEME = ["async+parallel-local"]  # noqa: RUF012  # declared so in limits

    def __init__(self) -> None:
        super().__init__()
        self._hits: dict[str, list[float]] = {}
        self._swept = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """None of its own."""
        return StorageError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` hits, unless that would make more than `limit` within `expiry` seconds."""
        now, hits = self._now(key, expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit that counts was, in Unix seconds, and how many count."""
        now, hits = self._now(key, expiry)
        return (hits[0] if hits else now), len(hits)

    def _now(self, key: str, expiry: int) -> tuple[float, list[float]]:
        """The time, and the hits that count; after the clock was set back, none of the future's."""
        now = time.time()
        if not 0 <= now - self._swept < expiry:
            # Payers that come no more must not be kept for ever.
            self._swept = now
            self._hits = {name: hits for name, hits in self._hits.items() if hits and now - expiry < hits[-1] <= now}
        hits = self._hits.setdefault(key, [])
        del hits[bisect_right(hits, now) :]
        del hits[: bisect_right(hits, now - expiry)]
        return now, hits

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Only for other strategies."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """How many hits are kept."""
        return len(self._hits.get(key, ()))

    async def get_expiry(self, key: str) -> float:
        """Only for other strategies."""
        raise NotImplementedError

    async def check(self) -> bool:
        """It always works."""
        return True

    async def reset(self) -> int:
        """Forget every hit; how many windows there were."""
        count = len(self._hits)
        self._hits.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget one window."""
        self._hits.pop(key, None)


@dataclass(slots=True)
class Pacing:
    """At most `per_minute` requests a payer within any 60 seconds, counted in this process or where replicas share it.

    `shared` gives what they share, when it is first needed. It, and what it gives, raise limits' StorageError
    where that fails: then this process counts for itself, and asks again only after `OWN_WINDOW_SECONDS`.
    """

    per_minute: int
    shared: Callable[[], Storage] | None = None
    _own: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(LocalWindow()))
    _limiter: MovingWindowRateLimiter | None = None
    _again_at: float = 0.0

    async def turn(self, payer: str, on_progress: OnProgress, max_wait: float | None) -> None:
        """Wait for the payer's turn. Raises PacingFull rather than wait longer than `patience` seconds."""
        began = time.monotonic()
        try:
            while (wait := await self._hit(payer)) is not None:
                if max_wait is not None and time.monotonic() - began + wait > max_wait:
                    raise errors.PacingFull(self.per_minute, wait)
                on_progress(f"Waiting {wait:.0f} s for a free place: {self.per_minute} requests a minute are used up")
                await anyio.sleep(wait)
        finally:
            telemetry.waited(time.monotonic() - began)

    async def _hit(self, payer: str) -> float | None:
        """None if the payer may send now; else the seconds until a place is free."""
        item = RateLimitItemPerMinute(self.per_minute)
        if self.shared is not None and time.monotonic() >= self._again_at:
            try:
                if self._limiter is None:
                    self._limiter = MovingWindowRateLimiter(self.shared())
                return await _taken(self._limiter, item, payer)
            except StorageError as error:
                self._again_at = time.monotonic() + OWN_WINDOW_SECONDS
                why = type(error.storage_error).__name__
                logger.warning("Requests are paced by this process alone, because the shared window failed: %s", why)
        return await _taken(self._own, item, payer)


async def _taken(limiter: MovingWindowRateLimiter, item: RateLimitItemPerMinute, payer: str) -> float | None:
    if await limiter.hit(item, payer):
        return None
    window = await limiter.get_window_stats(item, payer)
    return min(max(window.reset_time - time.time(), 0.05), item.get_expiry())
