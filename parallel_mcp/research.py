"""Research: questions on their way to an answer, kept in a store and worked on by a desk.

The desk owns the work and the calls only wait for it, so a call that a host gives up on loses
nothing. There is no queue: a row is added already leased to the process that works on it.
"""

import hashlib
import hmac
import json
import logging
import math
import secrets
import time
import traceback
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import anyio
from anyio.abc import TaskGroup

from parallel_mcp import errors, telemetry
from parallel_mcp.chat import CUT_SHORT, PROMPT_VERSION
from parallel_mcp.errors import ParallelError
from parallel_mcp.models import Answer, Question, Status

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
RENEW_SECONDS = 5.0
LOOK_SECONDS = 1.0
MOST_ATTEMPTS = 2
LAST_SECONDS = 0.5
"""What the store may take at shutdown."""
STOP_SECONDS = 1.0
"""How long a cancel waits for the request to be closed."""
LAPSE_KEPT_SECONDS = 3600.0

MOST_PROVEN = 10_000
"""How many brought keys are remembered, by their payers, as ones that Parallel takes."""

CLOSING = "This server is shutting down; nothing was sent. Call again once it is back."

INTERRUPTED = (
    "The research was interrupted: the process that worked on it is gone, and so is the one that took it over. "
    "Both requests may have been billed. Ask the question again to start anew."
)

Entry = Literal["added", "joined", "finished"]
"""How a question came to its row: it is new, it is under way already, or it was answered lately."""

Settlement = Literal["billed", "maybe", "unsent"]
"""What became of a charge: paid, possibly paid, or never sent or refused and therefore removed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who may see a row, whose key is billed, and which origin is asked. Nobody sees across scopes."""

    caller: str
    payer: str
    origin: str


@dataclass(frozen=True, slots=True)
class Asker:
    """A scope with the key that pays for it; the key is never stored, logged or shown.

    `brought` where the caller sent the key with the call, so that nobody here vouches for it.
    """

    scope: Scope
    key: str = field(repr=False)
    brought: bool = False


def payer_of(key: str, origin: str) -> str:
    """A name for a key at an origin from which the key cannot be found."""
    return hmac.new(key.encode(), f"parallel-mcp payer\n{origin}".encode(), hashlib.sha256).hexdigest()[:32]


def caller_of(key: str) -> str:
    """The caller that brings their own key."""
    return "key-" + hmac.new(key.encode(), b"parallel-mcp caller", hashlib.sha256).hexdigest()[:32]


def join_key(scope: Scope, question: Question) -> str:
    """What makes two questions the same: a hash of who asks, where, what, and in which words it is sent."""
    parts = [scope.caller, scope.payer, scope.origin, question.model_dump(mode="json"), PROMPT_VERSION]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Row:
    """A research as it is stored. Times are Unix seconds by the store's own clock; `read_at` is that clock's now."""

    research_id: str
    scope: Scope
    question: Question
    status: Status
    created_at: float
    attempts: int
    holder: str | None
    due: float | None
    finished_at: float | None
    answer: Answer | None
    error: str | None
    may_be_billed: bool
    cost_usd: float
    read_at: float

    @property
    def lapsed(self) -> bool:
        """Whether nobody holds it although it is not over."""
        return self.status == "working" and (self.holder is None or (self.due or 0) <= self.read_at)

    @property
    def seconds(self) -> float:
        """From the question to the end, or to now."""
        return max((self.finished_at or self.read_at) - self.created_at, 0.0)


@dataclass(frozen=True, slots=True)
class New:
    """A question as it is handed to a store. `budget_usd` is None where there is no limit for the day."""

    scope: Scope
    key: str
    question: Question
    holder: str
    price_usd: float
    budget_usd: float | None
    reuse_seconds: float
    research_id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class End:
    """How a request ended: with an answer, or with an error's text. `reusable` is False for a doubtful answer."""

    answer: Answer | None = None
    error: str | None = None
    may_be_billed: bool = False
    reusable: bool = True


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid in one UTC day for one model; `maybe_usd` is the part that may not have been billed."""

    day: str
    model: str
    requests: int
    usd: float
    maybe_usd: float


class Store(Protocol):
    """Where rows and the ledger are kept. Every method is atomic and raises StoreFailed where it cannot do it.

    A row is leased for `LEASE_SECONDS` from the store's own now. A charge of 0 leaves no line in the ledger; the
    others are of the holder whose request they pay, for two may be out for one row. After a StoreFailed the same
    call may be made again: `finish` and `settle` do nothing more the second time. Rows that are over are kept for
    the retention, counted from their end.
    """

    async def add_or_join(self, new: New) -> tuple[Row, Entry]:
        """A row for the question: the one under way, a completed one within `reuse_seconds`, or a new one.

        A new one is leased to `holder` and charged. Raises BudgetReached, and then nothing was added.
        """
        ...

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> Row | None:
        """The row, if this scope has it; a `waiter` is noted as waiting for it, for half a lease's time at least."""
        ...

    async def leave(self, research_id: str, waiter: str) -> None:
        """Forget a waiter."""
        ...

    async def claim(self, seen: Row, holder: str, price_usd: float, budget_usd: float | None) -> Row | None:
        """Take a lapsed row over: None if it is no longer as it was seen.

        A row that was sent `MOST_ATTEMPTS` times is failed instead, as interrupted. Raises BudgetReached.
        """
        ...

    async def renew(self, research_id: str, holder: str) -> Row | None:
        """The row with its lease renewed, or as it is now if it is over or somebody else's; None if it is gone."""
        ...

    async def release(self, research_id: str, holder: str, *, sent: bool) -> None:
        """Give a lease back. What was not sent yet does not count as an attempt and is not charged.

        That is so for a holder who has lost the lease too, and where the row was cancelled meanwhile.
        """
        ...

    async def finish(self, research_id: str, holder: str, end: End) -> Row | None:
        """Store an end. The first answer wins, whoever brings it; a failure counts only from the lease's holder.

        An answer wins over a failure and a cancellation too. The holder's charge is settled in any case.
        """
        ...

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> Row | None:
        """Let go of a row, and stop it if nobody else is waiting for it; the row as it is then."""
        ...

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[Row]:
        """The scope's rows, newest first, from behind the id `before`; none where that is unknown.

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
        """Say what became of a charge."""
        ...

    async def spent(self, scope: Scope, days: int = 31) -> Sequence[Spent]:
        """The ledger's totals by day and model, newest first. An empty payer means every payer."""
        ...


class Asks(Protocol):
    """What the desk needs of a Chat client."""

    async def prove(self, key: str) -> None:
        """Find out for nothing whether the key is taken. Raises KeyRefused, or what keeps it from being found out."""
        ...

    async def ask(
        self,
        question: Question,
        key: str,
        *,
        payer: str,
        told: Callable[[str], None],
        sent: Callable[[], None],
        patience: float | None = None,
    ) -> Answer:
        """The answer. Raises a ParallelError."""
        ...


Told = Callable[[str], None]


@dataclass(slots=True, eq=False, kw_only=True)
class Flight:
    """A request of this process that is under way, and the calls that watch it."""

    ended: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    watchers: dict[object, Told] = field(default_factory=dict)
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
    def watched(self, told: Told) -> Iterator[None]:
        """Watch it for a while; the words so far come at once."""
        watcher = object()
        self.watchers[watcher] = told
        try:
            if self.words:
                told(self.words)
            yield
        finally:
            del self.watchers[watcher]


@dataclass(slots=True, eq=False, kw_only=True)
class ResearchFlight(Flight):
    """A request for a row. It has ended when the row is stored, or when its end is known and the store fails."""

    row: Row
    began: float = field(default_factory=anyio.current_time)
    end: End | None = None
    refused: bool = False
    """Whether Parallel refused a brought key: such a research leaves no row."""

    def so_far(self) -> Row:
        """The row as this process knows it, whether or not the store does."""
        now = self.row.read_at + anyio.current_time() - self.began
        row = replace(self.row, read_at=now)
        if self.end is None:
            return row
        return replace(
            row,
            status="completed" if self.end.answer is not None else "failed",
            finished_at=now,
            answer=self.end.answer,
            error=self.end.error,
            may_be_billed=self.end.may_be_billed,
        )


@dataclass(slots=True, eq=False, kw_only=True)
class AnswerFlight(Flight):
    """A request without a row."""

    answer: Answer | None = None
    error: ParallelError | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How the desk works. Times are in seconds, prices US dollars a request by model."""

    prices: Mapping[str, float]
    budget_usd: float | None = None
    reuse_seconds: float = 600.0
    renew_seconds: float = RENEW_SECONDS
    look_seconds: float = LOOK_SECONDS
    pacing_patience: float = 10.0


@dataclass(slots=True)
class Heard:
    """What was last heard of Parallel: nothing yet, that it answers, or that it fails, since when in Unix seconds."""

    anything: bool = False
    failing_since: float | None = None

    def note(self, error: ParallelError | None, *, brought: bool) -> None:
        """Take note of an answer, or of an error. A caller's own key says nothing about Parallel."""
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


@dataclass(frozen=True, slots=True)
class _Lapse:
    """A lease that was seen lapsed, and when by our own monotonic clock."""

    lease: tuple[str | None, float | None]
    seen: float


class Desk:
    """Takes research in and works on it; `async with` it. One a process."""

    def __init__(self, client: Asks, store: Store, terms: Terms) -> None:
        self._client = client
        self._store = store
        self._terms = terms
        self._holder = secrets.token_hex(8)
        self._flights: dict[str, ResearchFlight] = {}
        self._answers: dict[str, AnswerFlight] = {}
        self._lapses: dict[str, _Lapse] = {}
        self._proven: OrderedDict[str, None] = OrderedDict()
        self.heard = Heard()
        self._unbroken: set[anyio.CancelScope] = set()
        self._closing = False
        self._group: TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Desk"]:
        """Work until the block ends; then stop, and give the leases back within half a second."""
        async with anyio.create_task_group() as self._group:
            try:
                yield self
            finally:
                self._close()

    def _close(self) -> None:
        self._closing = True
        last = anyio.current_time() + LAST_SECONDS
        for scope in self._unbroken:
            scope.deadline = min(scope.deadline, last)
        self._group.cancel_scope.cancel()

    @contextmanager
    def _unbroken_for(self, seconds: float = math.inf) -> Iterator[None]:
        """Do something whole though the caller goes: at most for `seconds`, and for half of one at shutdown.

        Past that it is broken off in silence.
        """
        with anyio.CancelScope(shield=True) as scope:
            scope.deadline = anyio.current_time() + (min(seconds, LAST_SECONDS) if self._closing else seconds)
            self._unbroken.add(scope)
            try:
                yield
            finally:
                self._unbroken.discard(scope)

    @property
    def store(self) -> Store:
        """Where the rows are."""
        return self._store

    def words(self, research_id: str) -> str:
        """What was last heard of a research that this process works on; empty for any other."""
        flight = self._flights.get(research_id)
        return flight.words if flight is not None else ""

    async def ask(self, asker: Asker, question: Question, *, fresh: bool = False) -> tuple[Row, Entry]:
        """Take a question in: its row, and whether it is new. `fresh` skips what was answered lately.

        Raises BudgetReached, StoreFailed, or NotReady once the desk is closing.
        """
        if self._closing:
            raise errors.NotReady(CLOSING)
        await self._admit(asker)
        new = New(
            scope=asker.scope,
            key=join_key(asker.scope, question),
            question=question,
            holder=self._holder,
            price_usd=self._terms.prices[question.model],
            budget_usd=self._terms.budget_usd,
            reuse_seconds=0 if fresh else self._terms.reuse_seconds,
        )
        # A row that is added has to be worked on, whether or not the host still waits.
        with self._unbroken_for():
            row, entry = await self._store.add_or_join(new)
            if entry == "added":
                await self._begin(asker, row)
            return row, entry
        raise errors.NotReady(CLOSING)

    async def _admit(self, asker: Asker) -> None:
        """Refuse a brought key that Parallel does not take, before anything is kept for it."""
        payer = asker.scope.payer
        if not asker.brought:
            return
        if payer not in self._proven:
            await self._client.prove(asker.key)
        self._proven[payer] = None
        self._proven.move_to_end(payer)
        if len(self._proven) > MOST_PROVEN:
            self._proven.popitem(last=False)

    async def _begin(self, asker: Asker, row: Row) -> None:
        """Work on a row that is leased to us."""
        if self._closing:
            await self._give_back(row.research_id, sent=False)
            raise errors.NotReady(CLOSING)
        flight = self._flights[row.research_id] = ResearchFlight(row=row)
        self._group.start_soon(self._work, asker, flight, name=f"research {row.research_id}")

    async def wait(self, asker: Asker, research_id: str, seconds: float, told: Told) -> tuple[Row, bool]:
        """The row when it is over or `seconds` have passed, and whether this call sent a request for it.

        A row that nobody works on any more is taken over. Raises UnknownResearch, StoreFailed, BudgetReached.
        """
        waiter = secrets.token_hex(8)
        deadline = anyio.current_time() + seconds
        sent = False
        refused: ResearchFlight | None = None
        linked: ResearchFlight | None = None
        try:
            while True:
                flight = self._flights.get(research_id)
                row = await self._look(asker, research_id, waiter, flight or refused)
                if flight is not None and flight is not linked:
                    telemetry.joined(flight.call)
                    linked = flight
                if row.status != "working":
                    return row, sent
                if flight is None and await self._take_over(asker, row):
                    sent = True
                    continue
                left = deadline - anyio.current_time()
                if left <= 0:
                    return row if flight is None else flight.so_far(), sent
                await self._pause(flight, left, told)
                refused = flight if flight is not None and flight.refused else None
        finally:
            with self._unbroken_for(1), _outlived("A call let go, and the store did not note it"):
                await self._store.leave(research_id, waiter)

    async def _look(self, asker: Asker, research_id: str, waiter: str, flight: ResearchFlight | None) -> Row:
        """The row, from this process where the store fails but the work goes on here."""
        try:
            row = await self._store.get(research_id, asker.scope, waiter)
        except errors.StoreFailed:
            if flight is None or flight.row.scope != asker.scope:
                raise
            return flight.so_far()
        if row is None:
            # Gone from the store, by a refused key or with the store's own memory: the work here still counts.
            if flight is not None and flight.row.scope == asker.scope:
                return flight.so_far()
            raise errors.UnknownResearch(research_id)
        # What came back is given even while the store cannot take it.
        unstored = flight is not None and flight.ended.is_set() and row.status == "working"
        return flight.so_far() if flight is not None and unstored else row

    async def _pause(self, flight: ResearchFlight | None, left: float, told: Told) -> None:
        """Until it is worth looking again."""
        if flight is None:
            await anyio.sleep(min(left, self._terms.look_seconds))
            return
        with anyio.move_on_after(min(left, self._terms.renew_seconds)), flight.watched(told):
            await flight.ended.wait()

    async def _take_over(self, asker: Asker, row: Row) -> bool:
        """Claim a row whose lease has lapsed; True if that changed it."""
        if self._closing or not self._surely_lapsed(row):
            return False
        price = self._terms.prices[row.question.model]
        with self._unbroken_for():
            claimed = await self._store.claim(row, self._holder, price, self._terms.budget_usd)
            self._lapses.pop(row.research_id, None)
            if claimed is not None and claimed.status == "working":
                await self._begin(asker, claimed)
            return claimed is not None
        return False

    def _surely_lapsed(self, row: Row) -> bool:
        """Whether a lease was given back, or was seen lapsed twice, a renewal apart by our own monotonic clock.

        After a laptop's sleep every lease looks lapsed at first; a holder that lives renews its own
        within a renewal, and the store has that a look later.
        """
        if not row.lapsed:
            self._lapses.pop(row.research_id, None)
            return False
        if row.holder is None:
            return True
        now = anyio.current_time()
        first = self._lapses.get(row.research_id)
        if first is not None and first.lease == (row.holder, row.due):
            return now - first.seen >= self._terms.renew_seconds + self._terms.look_seconds
        # What nobody came back for must not be kept for ever.
        self._lapses = {key: lapse for key, lapse in self._lapses.items() if now - lapse.seen < LAPSE_KEPT_SECONDS}
        self._lapses[row.research_id] = _Lapse((row.holder, row.due), now)
        return False

    async def _work(self, asker: Asker, flight: ResearchFlight) -> None:
        """Ask Parallel for a row, keep its lease meanwhile, and store how it ended."""
        try:
            with flight.scope:
                async with anyio.create_task_group() as keeping:
                    keeping.start_soon(self._keep_lease, flight)
                    flight.end = await self._ended(asker, flight)
                    keeping.cancel_scope.cancel()
        finally:
            # Here, so that an answer which arrives in the moment of a cancellation is stored.
            await self._put_away(flight)

    async def _put_away(self, flight: ResearchFlight) -> None:
        try:
            if flight.end is None:
                await self._give_back(flight.row.research_id, sent=flight.sent)
            else:
                await self._keep(flight, flight.end)
        finally:
            del self._flights[flight.row.research_id]
            flight.ended.set()

    async def _ended(self, asker: Asker, flight: ResearchFlight) -> End:
        try:
            answer = await self._answered(asker, flight.row.question, flight)
        except ParallelError as error:
            flight.refused = asker.brought and isinstance(error, errors.KeyRefused)
            return End(error=str(error), may_be_billed=error.may_be_billed)
        return End(answer=answer, reusable=CUT_SHORT not in answer.warnings)

    async def _answered(
        self, asker: Asker, question: Question, flight: Flight, patience: float | None = None
    ) -> Answer:
        """The client's answer, and what it tells of Parallel. Raises nothing but ParallelError."""
        try:
            answer = await self._client.ask(
                question,
                asker.key,
                payer=asker.scope.payer,
                told=flight.tell,
                sent=flight.mark_sent,
                patience=patience,
            )
        except ParallelError as error:
            self.heard.note(error, brought=asker.brought)
            if isinstance(error, errors.KeyRefused):
                self._proven.pop(asker.scope.payer, None)
            raise
        except Exception as error:
            _log_unforeseen("Asking Parallel failed", error)
            said = "this server failed while it read the answer; its log says how"
            raise errors.AnswerUnreadable(said, may_be_billed=flight.sent) from error
        self.heard.note(None, brought=asker.brought)
        return answer

    async def _keep_lease(self, flight: ResearchFlight) -> None:
        """Renew the lease until the work is over; stop the work when the row says so."""
        while True:
            await anyio.sleep(self._terms.renew_seconds)
            row: Row | None = None
            with _outlived("A lease was not renewed"):
                row = await self._store.renew(flight.row.research_id, self._holder)
            if row is not None and row.status in ("cancelled", "completed"):
                flight.scope.cancel()

    async def _give_back(self, research_id: str, *, sent: bool) -> None:
        with self._unbroken_for(LAST_SECONDS), _outlived("A lease was not given back and will lapse"):
            await self._store.release(research_id, self._holder, sent=sent)

    async def _keep(self, flight: ResearchFlight, end: End) -> None:
        """Store an end, for as long as it takes; those who wait have it after the first attempt.

        At shutdown there is one attempt more.
        """
        pause = 0.2
        try:
            while not await self._stored(flight, end):
                flight.ended.set()
                await anyio.sleep(pause)
                pause = min(pause * 2, RENEW_SECONDS)
        except anyio.get_cancelled_exc_class():
            await self._stored(flight, end)
            raise

    async def _stored(self, flight: ResearchFlight, end: End) -> bool:
        with self._unbroken_for(LEASE_SECONDS), _outlived("An end could not be stored yet"):
            await self._store.finish(flight.row.research_id, self._holder, end)
            if flight.refused:
                await self._store.forget(flight.row.scope, flight.row.research_id)
            return True
        return False

    async def cancel(self, asker: Asker, research_id: str) -> Row:
        """Let go of a research, and stop it unless another call waits for it. Raises UnknownResearch.

        The row is completed after all where the answer arrived in the same moment.
        """
        row = await self._store.cancel(research_id, asker.scope)
        if row is None:
            raise errors.UnknownResearch(research_id)
        flight = self._flights.get(research_id)
        if row.status != "cancelled" or flight is None:
            return row
        flight.scope.cancel()
        with anyio.move_on_after(STOP_SECONDS), _outlived("A research was stopped, and the store did not say how"):
            await flight.ended.wait()
            # Only now is it known whether a request had been sent, or answered.
            return await self._store.get(research_id, asker.scope) or row
        return row

    async def answer(self, asker: Asker, question: Question, told: Told) -> Answer:
        """An answer without a row; the same question in flight is asked once. Stops with its last caller."""
        await self._admit(asker)
        key = join_key(asker.scope, question)
        flight = self._answers.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._begin_answer(asker, question, key)
        telemetry.joined(flight.call)
        try:
            with flight.watched(told):
                await flight.ended.wait()
        finally:
            if not flight.watchers and not flight.ended.is_set():
                # Gone from the table at once: a new caller must not join what is being stopped.
                self._drop(key, flight)
                flight.scope.cancel()
        if flight.answer is None:
            raise flight.error or errors.ConnectionLost("this server stopped working on it", may_be_billed=flight.sent)
        return flight.answer.model_copy(update={"reused": True}) if joined else flight.answer

    def _begin_answer(self, asker: Asker, question: Question, key: str) -> AnswerFlight:
        if self._closing:
            raise errors.NotReady(CLOSING)
        flight = self._answers[key] = AnswerFlight()
        self._group.start_soon(self._answer, asker, question, key, flight, name="web_answer")
        return flight

    async def _answer(self, asker: Asker, question: Question, key: str, flight: AnswerFlight) -> None:
        try:
            with flight.scope:
                flight.answer = await self._paid_answer(asker, question, flight)
        except ParallelError as error:
            flight.error = error
        finally:
            self._drop(key, flight)
            flight.ended.set()

    def _drop(self, key: str, flight: AnswerFlight) -> None:
        if self._answers.get(key) is flight:
            del self._answers[key]

    async def _paid_answer(self, asker: Asker, question: Question, flight: AnswerFlight) -> Answer:
        """Charge, ask, settle. A charge that is never settled counts as possibly billed."""
        charge = await self._charged(asker.scope, question)
        settlement: Settlement = "unsent"
        try:
            answer = await self._answered(asker, question, flight, self._terms.pacing_patience)
            settlement = "billed"
            return answer
        except ParallelError as error:
            settlement = "maybe" if error.may_be_billed else "unsent"
            raise
        except anyio.get_cancelled_exc_class():
            settlement = "maybe" if flight.sent else "unsent"
            raise
        finally:
            if charge is not None:
                with self._unbroken_for(LAST_SECONDS), _outlived("The ledger counts a web_answer as possibly billed"):
                    await self._store.settle(charge, settlement)

    async def _charged(self, scope: Scope, question: Question) -> int | None:
        """The charge's number; None where nothing is paid, or where the store fails and no budget needs it."""
        price = self._terms.prices[question.model]
        if not price:
            return None
        try:
            # Not broken off, for a charge whose number is lost could not be settled.
            with self._unbroken_for():
                return await self._store.charge(scope, question.model, price, self._terms.budget_usd)
        except errors.StoreFailed as error:
            if self._terms.budget_usd is not None:
                raise errors.StoreFailed(
                    f"Not sent: a daily budget is set, and what was spent cannot be read. {error}"
                ) from error
            logger.warning("A web_answer goes out without a line in the ledger: %s", error)
        return None


@contextmanager
def _outlived(failing: str) -> Iterator[None]:
    """Log a failure of the store instead of raising it: paid work goes on without it."""
    try:
        yield
    except errors.StoreFailed as error:
        logger.warning("%s: %s", failing, error)
    except Exception as error:
        _log_unforeseen(failing, error)


def _log_unforeseen(what: str, error: Exception) -> None:
    """Log where it happened, and not the error's own words, which may quote a question or an answer."""
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s in a way that nobody foresaw: %s\n%s", what, type(error).__name__, where)
