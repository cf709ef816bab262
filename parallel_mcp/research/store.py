"""`Store`: what every store does, as a Protocol."""

from collections.abc import Sequence
from typing import Protocol

from parallel_mcp.research.principal import Scope
from parallel_mcp.research.records import Admission, NewRun, Outcome, ResearchRun, Settlement, Spent

LEASE_SECONDS = 15.0

MAX_ATTEMPTS = 2

MAX_WORKING_RUNS = 2000
"""How many runs of one caller may be in flight."""

MAX_WORKING_BYTES = 32 * 1024 * 1024
"""How large their questions may be together, in bytes of JSON."""

INTERRUPTED = (
    "The research was interrupted: the process that worked on it is gone, and so is the one that took it over. "
    "Both requests may have been billed. Ask the question again to start over."
)


class Store(Protocol):
    """Where rows and the ledger are. Every method is atomic and raises StoreFailed where it cannot do it.

    A row is leased for `LEASE_SECONDS` from the store's own now. A charge of 0 leaves no line in the ledger; the
    others are of the holder whose request they pay, for two may be out for one row. After a StoreFailed the same
    call may be made again: `finish` and `settle` do nothing more the second time. Rows that are over stay for
    the retention, counted from their end; one that was cancelled before anything was sent for it goes at once.
    """

    async def add_or_join(self, new: NewRun) -> tuple[ResearchRun, Admission]:
        """A row for the question: the one under way, a completed one within `reuse_seconds`, or a new one.

        A new one is leased to `holder` and charged. Raises BudgetReached or TooManyWorking; then nothing was added.
        """
        ...

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """The row, if this scope has it; a `waiter` is noted as waiting for it, for half a lease's time at least."""
        ...

    async def check(self) -> None:
        """Write something that means nothing: it succeeds only where an answer could be stored now."""
        ...

    async def leave(self, research_id: str, waiter: str) -> None:
        """Forget a waiter."""
        ...

    async def claim(
        self, seen: ResearchRun, holder: str, price_usd: float, budget_usd: float | None
    ) -> ResearchRun | None:
        """Take a lapsed row over: None if it is no longer as it was seen.

        A row that was sent `MAX_ATTEMPTS` times is failed instead, as interrupted. Raises BudgetReached.
        """
        ...

    async def renew(self, research_id: str, holder: str) -> ResearchRun | None:
        """The row with its lease renewed, or as it is now if it is over or somebody else's; None if it is gone."""
        ...

    async def release(self, research_id: str, holder: str, *, sent: bool) -> None:
        """Give a lease back. What was not sent yet does not count as an attempt and is not charged.

        That is so for a holder who has lost the lease too, and where the row was cancelled meanwhile.
        """
        ...

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        """Store an end. The first answer wins, whoever brings it; a failure counts only from the lease's holder.

        An answer wins over a failure and a cancellation too. The holder's charge is settled in any case.
        """
        ...

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """Let go of a row, and stop it if nobody else is waiting for it; the row as it is then."""
        ...

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[ResearchRun]:
        """The scope's rows without answers, newest first, from behind the id `before`; none where that is unknown.

        An empty payer or origin means every one.
        """
        ...

    async def forget(self, scope: Scope, research_id: str | None = None) -> int:
        """Delete one row, even under way, or all that are over; how many went. The ledger stays.

        An empty payer or origin means every one.
        """
        ...

    async def charge(self, scope: Scope, model: str, price_usd: float, budget_usd: float | None) -> int:
        """Reserve the price of a request that has no row; the charge's number. Raises BudgetReached."""
        ...

    async def settle(self, charge: int, settlement: Settlement) -> None:
        """Say what became of a charge; it may be noted a moment later, and a failure only logged."""
        ...

    async def spent(self, scope: Scope, days: int = 31) -> Sequence[Spent]:
        """The ledger's totals by day and model, newest first. An empty payer means every payer."""
        ...
