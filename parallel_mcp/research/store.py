"""`Store`: the Protocol that every store implements."""

from collections.abc import Sequence
from typing import Protocol

from parallel_mcp.research.principal import Scope
from parallel_mcp.research.records import Admission, NewRun, Outcome, ResearchRun, Settlement, Spent

LEASE_SECONDS = 15.0

MAX_ATTEMPTS = 2

MAX_WORKING_RUNS = 2000
"""How many runs of one caller may be in flight."""

MAX_WORKING_BYTES = 32 * 1024 * 1024
"""The total size of their questions, in bytes of JSON."""

INTERRUPTED = (
    "The research run was interrupted: the process working on it died, and so did the one that took it over. "
    "Both requests may have been billed. Ask the question again to start over."
)


class Store(Protocol):
    """Holds the rows and the ledger. Every method is atomic and raises StoreFailed if it cannot do its work.

    A row is leased for `LEASE_SECONDS` from the store's current time. A charge of 0 leaves no line in the ledger;
    every other belongs to the holder whose request it pays for, since a row may have two requests in flight. After
    a StoreFailed the same call can be repeated: `finish` and `settle` have no effect the second time. Finished rows
    stay for the retention time, counted from their end, but a row cancelled before anything was sent goes at once.
    """

    async def add_or_join(self, new: NewRun) -> tuple[ResearchRun, Admission]:
        """A row for the question: the one in flight, one completed within `reuse_seconds`, or a new one.

        A new one is leased to `holder` and charged. Raises BudgetReached or TooManyWorking, having added nothing.
        """
        ...

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """The row, if this scope has it. A `waiter` is noted as waiting for it, for at least half a lease."""
        ...

    async def check(self) -> None:
        """Write something without meaning, which succeeds only if an answer could be stored now."""
        ...

    async def leave(self, research_id: str, waiter: str) -> None:
        """Forget a waiter."""
        ...

    async def claim(
        self, seen: ResearchRun, holder: str, price_usd: float, budget_usd: float | None
    ) -> ResearchRun | None:
        """Take over a lapsed row. None if it has changed since it was `seen`.

        A row that was sent `MAX_ATTEMPTS` times fails as interrupted instead. Raises BudgetReached.
        """
        ...

    async def renew(self, research_id: str, holder: str) -> ResearchRun | None:
        """The row with its lease renewed, or unchanged if it has finished or has another holder. None if it is gone."""
        ...

    async def release(self, research_id: str, holder: str, *, sent: bool) -> None:
        """Give a lease back. A request that was not sent does not count as an attempt and is not charged.

        The same goes for a holder that has lost the lease, or whose row was cancelled.
        """
        ...

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        """Store an outcome. The first answer wins, whoever brings it; a failure counts only from the lease holder.

        An answer also wins over a failure or a cancellation. The holder's charge is settled in every case.
        """
        ...

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """Let go of a row, and stop it if nobody else is waiting for it. Returns the row."""
        ...

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[ResearchRun]:
        """The scope's rows without their answers, newest first, after the id `before`; none if that is unknown.

        An empty payer or origin matches all.
        """
        ...

    async def forget(self, scope: Scope, research_id: str | None = None) -> int:
        """Delete one row, even if it is in flight, or all finished rows. Returns the number deleted. The ledger stays.

        An empty payer or origin matches all.
        """
        ...

    async def charge(self, scope: Scope, model: str, price_usd: float, budget_usd: float | None) -> int:
        """Reserve the price of a request that has no row. Returns the charge's number. Raises BudgetReached.

        Without a budget it may be written a moment later, and a failure is only logged.
        """
        ...

    async def settle(self, charge: int, settlement: Settlement) -> None:
        """Record what became of a charge. This may happen a moment later, and a failure is only logged."""
        ...

    async def spent(self, scope: Scope, days: int = 31) -> Sequence[Spent]:
        """The ledger's totals by day and model, newest first. An empty payer matches all."""
        ...
