"""The research service accepts questions, works on them, and lets calls wait for the answers.

The service owns the work and calls only wait for it, so nothing is lost if a host gives up on a call.
There is no queue: a row is added already leased to the process that works on it.
"""

import logging
import math
import secrets
import traceback
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import anyio
from anyio.abc import TaskGroup

from parallel_mcp import chat, errors, telemetry
from parallel_mcp.client import ChatClient, OnProgress
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Answer, Question
from parallel_mcp.research import interactions
from parallel_mcp.research.in_flight import AnswerInFlight, InFlight, ResearchInFlight
from parallel_mcp.research.principal import Principal, Scope
from parallel_mcp.research.records import Admission, NewRun, Outcome, ResearchRun, join_key
from parallel_mcp.research.store import LEASE_SECONDS, Store
from parallel_mcp.research.upstream import UpstreamHealth

logger = logging.getLogger(__name__)

RENEW_SECONDS = 5.0

POLL_SECONDS = 1.0

SHUTDOWN_STORE_SECONDS = 0.5
"""How long the store may take at shutdown."""

STOP_SECONDS = 1.0
"""How long a cancellation waits for the request to close."""

FINISH_POLL_SECONDS = 0.1

SEEN_LAPSE_SECONDS = 3600.0

MAX_VERIFIED_KEYS = 10_000
"""How many keys that callers brought are remembered as accepted by Parallel, by payer."""

CLOSING = "This server is shutting down, so nothing was sent. Call again when it is back."


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """How the service works. Times are in seconds, prices in US dollars per request, by model."""

    prices: Mapping[str, float]
    budget_usd: float | None = None
    reuse_seconds: float = 600.0
    renew_seconds: float = RENEW_SECONDS
    poll_seconds: float = POLL_SECONDS
    max_pacing_wait: float = 10.0


@dataclass(frozen=True, slots=True)
class _SeenLapse:
    """A lease that was seen to have lapsed, and when, by this process's monotonic clock."""

    lease: tuple[str | None, float | None]
    seen: float


class ResearchService:
    """Accepts research runs and works on them. There is one per process; see `open`."""

    def __init__(self, client: ChatClient, store: Store, config: ServiceConfig) -> None:
        self._client = client
        self._store = store
        self._config = config
        self._holder = secrets.token_hex(8)
        self._research_in_flight: dict[str, ResearchInFlight] = {}
        self._answers_in_flight: dict[str, AnswerInFlight] = {}
        self._lapses: dict[str, _SeenLapse] = {}
        self._verified: OrderedDict[str, None] = OrderedDict()
        self.upstream = UpstreamHealth()
        self._shields: set[anyio.CancelScope] = set()
        self._closing = False
        self._finishing = False
        self._group: TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ResearchService"]:
        """Work until the block ends, then stop and release the leases within half a second."""
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._renew_leases)
            try:
                yield self
            finally:
                self._close()

    @property
    def is_working(self) -> bool:
        """Whether this process has research runs in flight."""
        return bool(self._research_in_flight)

    async def finish(self, limits: Mapping[str, float]) -> None:
        """Accept nothing new, let web answers go, and wait until the research runs in flight are finished and stored.

        `limits` are the seconds that a run may take in total, by model. They count by the wall clock, since the machine
        may sleep. Runs that have not finished by then are given up when the service closes.
        """
        self._finishing = True
        for answer in self._answers_in_flight.values():
            answer.stop()
        while any(run.age < limits[run.row.question.model] for run in self._research_in_flight.values()):
            await anyio.sleep(FINISH_POLL_SECONDS)

    def _close(self) -> None:
        self._closing = True
        last = anyio.current_time() + SHUTDOWN_STORE_SECONDS
        for scope in self._shields:
            scope.deadline = min(scope.deadline, last)
        for in_flight in (*self._research_in_flight.values(), *self._answers_in_flight.values()):
            in_flight.stop()
        self._group.cancel_scope.cancel()

    @contextmanager
    def _shielded_for(self, seconds: float = math.inf) -> Iterator[None]:
        """Complete the block even if the caller goes away, within `seconds`, or within half a second at shutdown.

        After that it is cancelled silently.
        """
        with anyio.CancelScope(shield=True) as scope:
            scope.deadline = anyio.current_time() + (min(seconds, SHUTDOWN_STORE_SECONDS) if self._closing else seconds)
            self._shields.add(scope)
            try:
                yield
            finally:
                self._shields.discard(scope)

    @property
    def store(self) -> Store:
        """The store that holds the rows."""
        return self._store

    def words(self, research_id: str) -> str:
        """The latest progress of a research run that this process works on. Empty for any other."""
        in_flight = self._research_in_flight.get(research_id)
        return in_flight.words if in_flight is not None else ""

    async def research(
        self,
        principal: Principal,
        question: Question,
        seconds: float,
        on_progress: OnProgress,
        on_row: Callable[[ResearchRun], None],
        *,
        fresh: bool = False,
    ) -> tuple[ResearchRun, Admission]:
        """Accept a question and wait for it: `ask`, then `wait`, with fewer reads of the store."""
        waiter = secrets.token_hex(8)
        row, admission = await self.ask(principal, question, fresh=fresh, waiter=waiter)
        if row.status == "working":
            row, _ = await self._wait(principal, row.research_id, seconds, on_progress, on_row, waiter, row)
        return row, admission

    async def ask(
        self, principal: Principal, question: Question, *, fresh: bool = False, waiter: str | None = None
    ) -> tuple[ResearchRun, Admission]:
        """Accept a question. Returns its row and how it got it. `fresh` skips recent answers.

        Raises BudgetReached, StoreFailed, or NotReady once the service is closing.
        """
        if self._closing or self._finishing:
            raise errors.NotReady(CLOSING)
        interactions.taken(principal, question)
        await self._verify_key(principal)
        new = NewRun(
            scope=principal.scope,
            key=join_key(principal.scope, question),
            question=question,
            holder=self._holder,
            price_usd=self._config.prices[question.model],
            budget_usd=self._config.budget_usd,
            reuse_seconds=0 if fresh else self._config.reuse_seconds,
            waiter=waiter,
        )
        # A row that was added has to be worked on, whether or not the host still waits.
        with self._shielded_for():
            row, admission = await self._store.add_or_join(new)
            if admission == "added":
                await self._begin(principal, row)
            return row, admission
        raise errors.NotReady(CLOSING)

    async def _verify_key(self, principal: Principal) -> None:
        """Reject a brought key that Parallel does not accept, before anything is stored for it."""
        payer = principal.scope.payer
        if not principal.brought:
            return
        if payer not in self._verified:
            await self._client.verify_key(principal.key)
        self._verified[payer] = None
        self._verified.move_to_end(payer)
        if len(self._verified) > MAX_VERIFIED_KEYS:
            self._verified.popitem(last=False)

    async def _begin(self, principal: Principal, row: ResearchRun) -> None:
        """Start work on a row that is leased to this process."""
        if self._closing or self._finishing:
            await self._release(row.research_id, sent=False)
            raise errors.NotReady(CLOSING)
        in_flight = self._research_in_flight[row.research_id] = ResearchInFlight(row=row)
        self._group.start_soon(self._work, principal, in_flight, name=f"research {row.research_id}")

    async def wait(
        self,
        principal: Principal,
        research_id: str,
        seconds: float,
        on_progress: OnProgress,
        on_row: Callable[[ResearchRun], None] = lambda _: None,
    ) -> tuple[ResearchRun, bool]:
        """The row once it has finished or `seconds` have passed, and whether this call sent a request for it.

        `on_row` is called with the row each time it was read. A row that nobody works on any more is taken over.
        Raises UnknownResearch, StoreFailed or BudgetReached.
        """
        return await self._wait(principal, research_id, seconds, on_progress, on_row, secrets.token_hex(8), None)

    async def _wait(
        self,
        principal: Principal,
        research_id: str,
        seconds: float,
        on_progress: OnProgress,
        on_row: Callable[[ResearchRun], None],
        waiter: str,
        seen: ResearchRun | None,
    ) -> tuple[ResearchRun, bool]:
        """See `wait`. `seen` is the row if it has just been read and the waiter noted."""
        deadline = anyio.current_time() + seconds
        sent = over = False
        ended: ResearchInFlight | None = None
        try:
            while True:
                in_flight = self._research_in_flight.get(research_id)
                row = seen or await self._look(principal, research_id, waiter, in_flight or ended)
                seen = None
                on_row(row)
                if in_flight is not None:
                    telemetry.joined(in_flight.call)
                if row.status != "working":
                    over = True
                    return row, sent
                if in_flight is None and await self._take_over(principal, row):
                    sent = True
                    continue
                left = deadline - anyio.current_time()
                if left <= 0:
                    return row if in_flight is None else in_flight.snapshot(), sent
                await self._pause(in_flight, left, on_progress)
                # A run that has just ended here need not be read again, and may have left no row.
                known = in_flight is not None and (in_flight.refused or in_flight.row.status != "working")
                ended = in_flight if known else None
        finally:
            # The store itself forgets the waiters of a finished row.
            if not over:
                with self._shielded_for(1), log_store_errors("A waiter could not be removed from the store"):
                    await self._store.leave(research_id, waiter)

    async def _look(
        self, principal: Principal, research_id: str, waiter: str, in_flight: ResearchInFlight | None
    ) -> ResearchRun:
        """The row, or this process's own if it has just ended here, or if the store fails while the work goes on."""
        mine = in_flight is not None and in_flight.row.scope == principal.scope
        if in_flight is not None and mine and in_flight.row.status != "working":
            return in_flight.snapshot()
        try:
            row = await self._store.get(research_id, principal.scope, waiter)
        except errors.StoreFailed:
            if in_flight is None or not mine:
                raise
            return in_flight.snapshot()
        if row is None:
            # The store lost the row, to a refused key or a restart, but the work here still counts.
            if in_flight is not None and mine:
                return in_flight.snapshot()
            raise errors.UnknownResearch(research_id)
        # An answer is returned even while the store cannot take it.
        unstored = in_flight is not None and in_flight.ended.is_set() and row.status == "working"
        return in_flight.snapshot() if in_flight is not None and unstored else row

    async def _pause(self, in_flight: ResearchInFlight | None, left: float, on_progress: OnProgress) -> None:
        """Wait until it is worth reading the row again."""
        if in_flight is None:
            await anyio.sleep(min(left, self._config.poll_seconds))
            return
        with anyio.move_on_after(min(left, self._config.renew_seconds)), in_flight.watched(on_progress):
            await in_flight.ended.wait()

    async def _take_over(self, principal: Principal, row: ResearchRun) -> bool:
        """Claim a row whose lease has lapsed. Returns True if that changed the row."""
        if self._closing or self._finishing or not self._lapsed_twice(row):
            return False
        price = self._config.prices[row.question.model]
        with self._shielded_for():
            claimed = await self._store.claim(row, self._holder, price, self._config.budget_usd)
            self._lapses.pop(row.research_id, None)
            if claimed is not None and claimed.status == "working":
                await self._begin(principal, claimed)
            return claimed is not None
        return False

    def _lapsed_twice(self, row: ResearchRun) -> bool:
        """Whether a lease was given back, or was seen lapsed twice, a renewal apart by this process's monotonic clock.

        After a laptop's sleep every lease looks lapsed at first. A living holder renews its own within one renewal
        interval, and the second look sees that.
        """
        if not row.lapsed:
            self._lapses.pop(row.research_id, None)
            return False
        if row.holder is None:
            return True
        now = anyio.current_time()
        first = self._lapses.get(row.research_id)
        if first is not None and first.lease == (row.holder, row.due):
            return now - first.seen >= self._config.renew_seconds + self._config.poll_seconds
        # Forget the lapses of rows that nobody came back for.
        self._lapses = {key: lapse for key, lapse in self._lapses.items() if now - lapse.seen < SEEN_LAPSE_SECONDS}
        self._lapses[row.research_id] = _SeenLapse((row.holder, row.due), now)
        return False

    async def _work(self, principal: Principal, in_flight: ResearchInFlight) -> None:
        """Ask Parallel the question of a row, and store the outcome."""
        try:
            with in_flight.scope:
                in_flight.finish(await self._run_outcome(principal, in_flight))
        finally:
            # In `finally`, so that an answer which arrives at the moment of a cancellation is stored.
            await self._settle_run(in_flight)

    async def _settle_run(self, in_flight: ResearchInFlight) -> None:
        try:
            if in_flight.outcome is None:
                await self._release(in_flight.row.research_id, sent=in_flight.sent)
            else:
                await self._store_until_done(in_flight, in_flight.outcome)
        finally:
            del self._research_in_flight[in_flight.row.research_id]
            in_flight.ended.set()

    async def _run_outcome(self, principal: Principal, in_flight: ResearchInFlight) -> Outcome:
        try:
            answer = await self._answered(principal, in_flight.row.question, in_flight)
        except ParallelError as error:
            in_flight.refused = principal.brought and isinstance(error, errors.KeyRefused)
            return Outcome(error=str(error), may_be_billed=error.may_be_billed)
        return Outcome(answer=answer, reusable=chat.is_whole(answer))

    async def _answered(
        self, principal: Principal, question: Question, in_flight: InFlight, max_wait: float | None = None
    ) -> Answer:
        """The client's answer. Notes what it says about Parallel's health. Raises only ParallelError."""
        try:
            answer = await self._client.ask(
                interactions.taken(principal, question),
                principal.key,
                payer=principal.scope.payer,
                caller=principal.scope.caller,
                on_progress=in_flight.on_progress,
                on_sent=in_flight.mark_sent,
                max_wait=max_wait,
            )
        except ParallelError as error:
            self.upstream.note(error, brought=principal.brought)
            if isinstance(error, errors.KeyRefused):
                self._verified.pop(principal.scope.payer, None)
            raise
        except Exception as error:
            log_unexpected("Asking Parallel failed", error)
            said = "this server failed while reading the answer; its log has the details"
            raise errors.AnswerUnreadable(said, may_be_billed=in_flight.sent) from error
        self.upstream.note(None, brought=principal.brought)
        return interactions.given(principal, answer)

    async def _renew_leases(self) -> None:
        """Renew the leases of all runs in flight, for as long as the service works."""
        while True:
            await anyio.sleep(self._config.renew_seconds)
            async with anyio.create_task_group() as renewing:
                for in_flight in tuple(self._research_in_flight.values()):
                    renewing.start_soon(self._renew_lease, in_flight)

    async def _renew_lease(self, in_flight: ResearchInFlight) -> None:
        """Renew one lease. Stops the work if the row was cancelled or completed elsewhere."""
        row: ResearchRun | None = None
        with log_store_errors("A lease could not be renewed"):
            row = await self._store.renew(in_flight.row.research_id, self._holder)
        if row is not None and row.status in ("cancelled", "completed"):
            in_flight.scope.cancel()

    async def _release(self, research_id: str, *, sent: bool) -> None:
        with self._shielded_for(SHUTDOWN_STORE_SECONDS), log_store_errors("A lease was not given back and will lapse"):
            await self._store.release(research_id, self._holder, sent=sent)

    async def _store_until_done(self, in_flight: ResearchInFlight, outcome: Outcome) -> None:
        """Store an outcome, for as long as it takes. Those who wait get it after the first attempt.

        At shutdown there is one last attempt.
        """
        pause = 0.2
        try:
            while not await self._try_store(in_flight, outcome):
                in_flight.ended.set()
                await anyio.sleep(pause)
                pause = min(pause * 2, RENEW_SECONDS)
        except anyio.get_cancelled_exc_class():
            await self._try_store(in_flight, outcome)
            raise

    async def _try_store(self, in_flight: ResearchInFlight, outcome: Outcome) -> bool:
        with self._shielded_for(LEASE_SECONDS), log_store_errors("An outcome could not be stored yet"):
            row = await self._store.finish(in_flight.row.research_id, self._holder, outcome)
            if in_flight.refused:
                await self._store.forget(in_flight.row.scope, in_flight.row.research_id)
            elif row is not None:
                in_flight.store(row)
            return True
        return False

    async def cancel(self, principal: Principal, research_id: str) -> ResearchRun:
        """Let go of a research run, and stop it unless another call waits for it. Raises UnknownResearch.

        The row is completed after all if the answer arrived at the same moment.
        """
        row = await self._store.cancel(research_id, principal.scope)
        if row is None:
            raise errors.UnknownResearch(research_id)
        in_flight = self._research_in_flight.get(research_id)
        if row.status != "cancelled" or in_flight is None:
            return row
        in_flight.stop()
        with (
            anyio.move_on_after(STOP_SECONDS),
            log_store_errors("A stopped research run could not be read"),
        ):
            await in_flight.ended.wait()
            # Only now is it known whether a request had been sent or answered. If none was sent, there is no row.
            unsent = replace(row, attempts=0, cost_usd=0.0, may_be_billed=False)
            return await self._store.get(research_id, principal.scope) or unsent
        return row

    async def answer(self, principal: Principal, question: Question, on_progress: OnProgress) -> Answer:
        """An answer without a row. The same question in flight is asked once. It stops with its last caller."""
        interactions.taken(principal, question)
        await self._verify_key(principal)
        key = join_key(principal.scope, question)
        in_flight = self._answers_in_flight.get(key)
        if in_flight is None:
            in_flight = self._begin_answer(principal, question, key)
        telemetry.joined(in_flight.call)
        try:
            with in_flight.watched(on_progress):
                await in_flight.ended.wait()
        finally:
            if not in_flight.watchers and not in_flight.ended.is_set():
                # Removed at once: a new caller must not join a request that is being stopped.
                self._drop(key, in_flight)
                in_flight.stop()
        if in_flight.answer is None:
            raise in_flight.error or errors.ConnectionLost(
                "this server stopped working on it", may_be_billed=in_flight.sent
            )
        return in_flight.answer

    def _begin_answer(self, principal: Principal, question: Question, key: str) -> AnswerInFlight:
        if self._closing or self._finishing:
            raise errors.NotReady(CLOSING)
        in_flight = self._answers_in_flight[key] = AnswerInFlight()
        self._group.start_soon(self._answer, principal, question, key, in_flight, name="web_answer")
        return in_flight

    async def _answer(self, principal: Principal, question: Question, key: str, in_flight: AnswerInFlight) -> None:
        """Charge, ask, settle. A charge that is never settled counts as possibly billed."""
        charge: int | None = None
        try:
            with in_flight.scope:
                charge = await self._charged(principal.scope, question)
                in_flight.answer = await self._answered(principal, question, in_flight, self._config.max_pacing_wait)
        except ParallelError as error:
            in_flight.error = error
        finally:
            self._drop(key, in_flight)
            # Nobody has to wait for a settlement that only confirms the charge.
            if in_flight.answer is not None:
                in_flight.ended.set()
            await self._settle(charge, in_flight)
            in_flight.ended.set()

    def _drop(self, key: str, in_flight: AnswerInFlight) -> None:
        if self._answers_in_flight.get(key) is in_flight:
            del self._answers_in_flight[key]

    async def _settle(self, charge: int | None, in_flight: AnswerInFlight) -> None:
        if charge is None:
            return
        may_be_billed = in_flight.sent if in_flight.error is None else in_flight.error.may_be_billed
        settlement = Outcome(in_flight.answer, may_be_billed=may_be_billed).settlement
        with (
            self._shielded_for(SHUTDOWN_STORE_SECONDS),
            log_store_errors("A web_answer could not be settled and counts as possibly billed"),
        ):
            await self._store.settle(charge, settlement)

    async def _charged(self, scope: Scope, question: Question) -> int | None:
        """The charge's number. None if nothing is paid, or if the store fails and there is no budget."""
        price = self._config.prices[question.model]
        if not price:
            return None
        try:
            # Shielded, because a charge whose number is lost could not be settled.
            with self._shielded_for():
                return await self._store.charge(scope, question.model, price, self._config.budget_usd)
        except errors.StoreFailed as error:
            if self._config.budget_usd is not None:
                raise errors.StoreFailed(
                    f"Nothing was sent: there is a daily budget, and today's spending cannot be read. {error}"
                ) from error
            logger.warning("A web_answer was sent without a line in the ledger: %s", error)
        return None


@contextmanager
def log_store_errors(failing: str) -> Iterator[None]:
    """Log a failure of the store instead of raising it, so that paid work goes on."""
    try:
        yield
    except errors.StoreFailed as error:
        logger.warning("%s: %s", failing, error)
    except Exception as error:
        log_unexpected(failing, error)


def log_unexpected(what: str, error: Exception) -> None:
    """Log where it happened, without the error's own words, which may quote a question or an answer."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", what, type(error).__name__, where)
