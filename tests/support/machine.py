"""Workers, callers and a model of Parallel, interleaved over a real store by hypothesis.

The machine keeps a model of what the store must hold and compares it after every step. It knows
nothing about how a store works: it checks what the service, the tools and people rely on.
"""

import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parallel_mcp.errors import BudgetReached
from parallel_mcp.research import LEASE_SECONDS, MAX_ATTEMPTS, ResearchRun, Scope, Store
from tests.support.stores import ALICE, Clock, answered, asked, content_of, failed

T = TypeVar("T")

PRICE = 0.01
SCOPES = (ALICE, Scope("bob", ALICE.payer, ALICE.origin), Scope(ALICE.caller, "another key", ALICE.origin))
QUESTIONS = ("Why?", "How?")
WORKERS = 3

PASSING = (4, 4, 8, 16, 16, 32, -8)
"""Seconds: some leases lapse, and sometimes the clock is set back. Multiples of four, so that none
comes near a lease's fifteen, since Redis's clock keeps running."""

some = st.integers(0, 11)


@dataclass(eq=False)
class Line:
    """What the ledger must say about one request."""

    scope: Scope
    state: str = "sent"


@dataclass(eq=False)
class Known:
    """What a row must look like."""

    research_id: str
    scope: Scope
    text: str
    created_at: float
    holder: str | None
    due: float | None
    status: str = "working"
    attempts: int = 1
    content: str | None = None
    finished_at: float | None = None
    reusable: bool = False
    lines: list[Line] = field(default_factory=list)
    looked: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    asked: int = 1


@dataclass(eq=False)
class InFlight:
    """A request that a worker believes it owns."""

    known: Known
    line: Line
    sent: bool = False


@dataclass(eq=False)
class Worker:
    """A process. What it saw may be out of date."""

    name: str
    store: Store
    awake: bool = True
    flights: list[InFlight] = field(default_factory=list)
    seen: dict[str, ResearchRun] = field(default_factory=dict)
    ended: list[tuple[Known, str]] = field(default_factory=list)


class Stores(RuleBasedStateMachine):
    """The machine. A subclass defines the store it drives with `open`, and how to wait for a call with `waits`."""

    waits: ClassVar[Callable[[Coroutine[Any, Any, Any]], Any]]
    open: ClassVar[Callable[[AsyncExitStack, Clock], Callable[[], Store]]]
    steps: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.stack = AsyncExitStack()
        self.make = type(self).open(self.stack, self.clock)
        self.workers = [Worker(f"worker {number}", self.make()) for number in range(WORKERS)]
        self.born = WORKERS
        self.rows: list[Known] = []
        self.forgotten: list[Known] = []
        self.lines: list[Line] = []
        self.answers = 0
        self.step = 0

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """The result of a call to the store."""
        result: T = type(self).waits(call)
        return result

    # What may happen

    @precondition(lambda self: self.awake())
    @rule(who=some, scope=some, text=some, fresh=st.booleans(), short=st.integers(0, 7), sends=st.booleans())
    def ask(self, who: int, scope: int, text: int, fresh: bool, short: int, sends: bool) -> None:
        worker, whose, question = pick(self.awake(), who), whose_turn(scope), pick(QUESTIONS, text)
        budget = self.budget(whose, short)
        new = asked(question, scope=whose, holder=worker.name, price=PRICE, budget=budget, reuse=0 if fresh else 60)
        like = [row for row in self.rows if (row.scope, row.text) == (whose, question)]
        under_way = [row for row in like if row.status == "working"]
        try:
            row, entry = self.wait(worker.store.add_or_join(new))
        except BudgetReached:
            assert not short, "refused although the budget allows it"
            assert not under_way, "refused although it is in flight"
            return
        if under_way:
            assert entry == "joined"
            assert [row.research_id] == [one.research_id for one in under_way]
            under_way[0].asked += 1
        elif entry == "finished":
            known = next(one for one in like if one.research_id == row.research_id)
            assert known.status == "completed"
            assert known.reusable
            assert not fresh
            assert row.read_at - (known.finished_at or 0) < 60
        else:
            assert entry == "added", "joined what is not in flight"
            assert short, "added past the budget"
            recent = [one for one in like if one.reusable and row.read_at - (one.finished_at or 0) < 59]
            assert fresh or not recent, "sent again although it was answered recently"
            self.granted(worker, row, whose, question)
            if sends:
                self.leaves(worker, self.rows[-1])
        self.same(row)

    def granted(self, worker: Worker, row: ResearchRun, scope: Scope, text: str) -> None:
        line = self.charged(scope)
        due = row.read_at + LEASE_SECONDS
        known = Known(row.research_id, scope, text, row.read_at, worker.name, due, lines=[line])
        self.rows.append(known)
        worker.flights.append(InFlight(known, line))

    @precondition(lambda self: self.rows and self.awake())
    @rule(who=some, which=some, scope=some, waits=st.booleans())
    def look(self, who: int, which: int, scope: int, waits: bool) -> None:
        worker, known = pick(self.awake(), who), late(self.rows, which)
        # Mostly the owner, sometimes somebody else with the right id.
        whose = pick(SCOPES, scope) if scope > 8 else known.scope
        row = self.wait(worker.store.get(known.research_id, whose, worker.name if waits else None))
        if whose != known.scope:
            assert row is None, "somebody read another's research run"
            return
        assert row is not None, "a research run was lost"
        self.same(row)
        worker.seen[row.research_id] = row
        if waits and row.status == "working":
            known.looked[worker.name] = row.read_at

    @precondition(lambda self: any(worker.seen for worker in self.awake()))
    @rule(who=some, which=some, short=st.integers(0, 7))
    def claim(self, who: int, which: int, short: int) -> None:
        worker = pick([worker for worker in self.awake() if worker.seen], who)
        seen = late(list(worker.seen.values()), which)
        if not works_on(worker, seen.research_id):
            self.claimed(worker, seen, short)

    @precondition(lambda self: any(known.status == "working" for known in self.rows) and self.awake())
    @rule(who=some, which=some, sends=st.booleans())
    def lapse_and_take_over(self, who: int, which: int, sends: bool) -> None:
        """What otherwise takes several rules, and matters most."""
        worker, known = pick(self.awake(), who), late([row for row in self.rows if row.status == "working"], which)
        self.clock.pass_by(16)
        seen = self.wait(worker.store.get(known.research_id, known.scope))
        assert seen is not None, "a research run was lost"
        self.same(seen)
        if not works_on(worker, known.research_id):
            self.claimed(worker, seen, 7)
            if sends:
                self.leaves(worker, known)

    def claimed(self, worker: Worker, seen: ResearchRun, short: int) -> None:
        known = self.known(seen.research_id)
        before = self.wait(worker.store.get(seen.research_id, seen.scope))
        as_seen = before is not None and before.lapsed and (before.holder, before.due) == (seen.holder, seen.due)
        twice = known is not None and known.attempts >= MAX_ATTEMPTS
        try:
            row = self.wait(worker.store.claim(seen, worker.name, PRICE, self.budget(seen.scope, short)))
        except BudgetReached:
            assert as_seen
            assert not twice
            assert not short, "refused although the budget allows it"
            return
        assert (row is not None) == as_seen, "a claim that must not succeed, or a lapsed row that cannot be claimed"
        if row is None:
            return
        assert known is not None
        known.asked += 1
        if twice:
            known.status, known.holder, known.due, known.finished_at = "failed", None, None, row.read_at
        else:
            assert short, "taken over past the budget"
            known.attempts, known.holder, known.due = known.attempts + 1, worker.name, row.read_at + LEASE_SECONDS
            line = self.charged(known.scope)
            known.lines.append(line)
            worker.flights.append(InFlight(known, line))
        self.same(row)

    @precondition(lambda self: self.flying())
    @rule(which=some)
    def send(self, which: int) -> None:
        worker, in_flight = pick(self.flying(), which)
        self.leaves(worker, in_flight.known)

    def leaves(self, worker: Worker, known: Known) -> None:
        """The worker's request for the row leaves, if it has one."""
        for in_flight in worker.flights:
            if in_flight.known is known and not in_flight.sent:
                in_flight.sent = True
                known.sent += 1

    @precondition(lambda self: self.flying())
    @rule(which=some)
    def renew(self, which: int) -> None:
        worker, in_flight = pick(self.flying(), which)
        known = in_flight.known
        row = self.wait(worker.store.renew(known.research_id, worker.name))
        if row is None:
            assert known in self.forgotten, "a research run was lost"
            return
        if known.status == "working" and known.holder == worker.name:
            known.due = row.read_at + LEASE_SECONDS
        self.same(row)

    @precondition(lambda self: self.sent())
    @rule(which=some, reusable=st.booleans())
    def answer(self, which: int, reusable: bool) -> None:
        worker, in_flight = pick(self.sent(), which)
        self.answers += 1
        content = f"Answer {self.answers}"
        worker.flights.remove(in_flight)
        worker.ended.append((in_flight.known, content))
        in_flight.line.state = "billed"
        self.finished(worker, in_flight.known, content, reusable)

    @precondition(lambda self: any(worker.ended for worker in self.awake()))
    @rule(who=some, which=some)
    def store_an_answer_again(self, who: int, which: int) -> None:
        """As the service does if it does not know whether the store has it."""
        worker = pick([worker for worker in self.awake() if worker.ended], who)
        known, content = pick(worker.ended, which)
        # It may have started again on the same research run.
        if not any(in_flight.known is known for in_flight in worker.flights):
            self.finished(worker, known, content, True)

    def finished(self, worker: Worker, known: Known, content: str, reusable: bool) -> None:
        row = self.wait(worker.store.finish(known.research_id, worker.name, answered(content, reusable=reusable)))
        if known in self.forgotten:
            assert row is None
            return
        assert row is not None, "a research run was lost"
        if known.status != "completed":
            known.reusable = reusable and known.status == "working"
            known.status, known.content, known.finished_at = "completed", content, row.read_at
            known.holder = known.due = None
        self.same(row)

    @precondition(lambda self: self.flying())
    @rule(which=some, may_be_billed=st.booleans())
    def fail(self, which: int, may_be_billed: bool) -> None:
        worker, in_flight = pick(self.flying(), which)
        known, maybe = in_flight.known, may_be_billed and in_flight.sent
        worker.flights.remove(in_flight)
        self.settled(in_flight, "maybe" if maybe else "unsent")
        row = self.wait(worker.store.finish(known.research_id, worker.name, failed("No.", may_be_billed=maybe)))
        if row is None:
            assert known in self.forgotten, "a research run was lost"
            return
        if known.status == "working" and known.holder == worker.name:
            known.status, known.holder, known.due, known.finished_at = "failed", None, None, row.read_at
        self.same(row)

    @precondition(lambda self: self.flying())
    @rule(which=some)
    def give_back(self, which: int) -> None:
        worker, in_flight = pick(self.flying(), which)
        known = in_flight.known
        worker.flights.remove(in_flight)
        self.wait(worker.store.release(known.research_id, worker.name, sent=in_flight.sent))
        self.settled(in_flight, "maybe" if in_flight.sent else "unsent")
        if not in_flight.sent:
            known.attempts -= 1
        if known.holder == worker.name:
            known.holder = known.due = None
        self.gone_if_never_sent(known)

    def gone_if_never_sent(self, known: Known) -> None:
        """A run that is cancelled before anything was sent for it leaves no row."""
        if known.status == "cancelled" and not known.attempts and known in self.rows:
            self.rows.remove(known)
            self.forgotten.append(known)

    @precondition(lambda self: self.rows and self.awake())
    @rule(who=some, which=some, scope=some)
    def cancel(self, who: int, which: int, scope: int) -> None:
        worker, known = pick(self.awake(), who), late(self.rows, which)
        whose = pick(SCOPES, scope) if scope > 8 else known.scope
        row = self.wait(worker.store.cancel(known.research_id, whose, worker.name))
        if whose != known.scope:
            assert row is None, "somebody cancelled another's research run"
            return
        assert row is not None, "a research run was lost"
        if known.status == "working":
            known.looked.pop(worker.name, None)
            waiting = [row.read_at - at for at in known.looked.values()]
            # A waiter is noted for the time of a lease, and the note need not be renewed in its first half.
            if any(ago < LEASE_SECONDS / 2 - 1 for ago in waiting):
                assert row.status == "working", "stopped although somebody waits"
            elif all(ago >= LEASE_SECONDS for ago in waiting):
                assert row.status == "cancelled", "not stopped although nobody waits"
            if row.status == "cancelled":
                known.status, known.due, known.finished_at = "cancelled", None, row.read_at
        self.same(row)
        self.gone_if_never_sent(known)

    @precondition(lambda self: self.rows and self.awake())
    @rule(who=some, which=some)
    def leave(self, who: int, which: int) -> None:
        worker, known = pick(self.awake(), who), late(self.rows, which)
        self.wait(worker.store.leave(known.research_id, worker.name))
        known.looked.pop(worker.name, None)

    @precondition(lambda self: self.rows and self.awake())
    @rule(who=some, which=some, scope=some, sure=st.integers(0, 3))
    def forget(self, who: int, which: int, scope: int, sure: int) -> None:
        worker, known, whose = pick(self.awake(), who), late(self.rows, which), pick(SCOPES, scope)
        if sure:
            return
        gone = self.wait(worker.store.forget(whose, known.research_id))
        assert gone == (1 if whose == known.scope else 0), "somebody deleted another's research run"
        if gone:
            self.rows.remove(known)
            self.forgotten.append(known)

    @rule(seconds=st.sampled_from(PASSING))
    def time_passes(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @rule(who=some)
    def sleep_or_wake(self, who: int) -> None:
        worker = pick(self.workers, who)
        worker.awake = not worker.awake or who > 5

    @rule(who=some, really=st.integers(0, 4))
    def crash(self, who: int, really: int) -> None:
        """Its requests in flight stay in the ledger, since nobody knows whether they were billed."""
        if not really:
            place = who % WORKERS
            self.workers[place] = Worker(f"worker {self.born}", self.make())
            self.born += 1

    # What must hold

    @invariant()
    def it_holds(self) -> None:
        """Check one scope occasionally, in turns. The result of a step is always compared at once."""
        self.step += 1
        if self.step % 4 == 0:
            self.check(SCOPES[self.step // 4 % len(SCOPES)])

    def teardown(self) -> None:
        """Everything, at the end."""
        try:
            # Not if it has failed already: the first failure is the one to report.
            for scope in SCOPES if sys.exc_info()[0] is None else ():
                self.check(scope)
        finally:
            self.steps.append(self.step - 1)
            self.wait(self.stack.aclose())

    def check(self, scope: Scope) -> None:
        """The scope's rows and ledger are as expected, and nobody else's are among them."""
        store = self.workers[0].store
        rows = self.wait(store.list(scope))
        mine = [known for known in self.rows if known.scope == scope]
        ordered = sorted(mine, key=lambda known: (known.created_at, known.research_id), reverse=True)
        assert [row.research_id for row in rows] == [known.research_id for known in ordered]
        for row in rows:
            # The list has no answers, but the row does.
            assert row.answer is None
            whole = self.wait(store.get(row.research_id, scope))
            assert whole is not None
            self.same(whole)
        for known in mine:
            assert known.sent <= MAX_ATTEMPTS, "sent more than twice"
            assert known.sent <= known.asked, "sent again unasked"
        lines = [line for line in self.lines if line.scope == scope]
        spent = self.wait(store.spent(scope, 1))
        assert sum(line.requests for line in spent) == len(lines), "the ledger is not what upstream saw"
        assert near(sum(line.usd for line in spent), PRICE * len(lines))
        doubtful = [line for line in lines if line.state != "billed"]
        assert near(sum(line.maybe_usd for line in spent), PRICE * len(doubtful))

    def same(self, row: ResearchRun) -> None:
        """The row is as expected."""
        known = self.known(row.research_id)
        assert known is not None, "a research run that nobody asked for"
        assert (row.scope, row.question.text) == (known.scope, known.text)
        assert (row.status, content_of(row)) == (known.status, known.content), "lost, changed or discarded"
        assert (row.attempts, row.holder) == (known.attempts, known.holder)
        assert same_time(row.due, known.due)
        assert same_time(row.finished_at, known.finished_at)
        assert near(row.cost_usd, PRICE * len(known.lines))

    # The model's own

    def awake(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.awake]

    def flying(self) -> list[tuple[Worker, InFlight]]:
        return [(worker, in_flight) for worker in self.awake() for in_flight in worker.flights]

    def sent(self) -> list[tuple[Worker, InFlight]]:
        return [(worker, in_flight) for worker, in_flight in self.flying() if in_flight.sent]

    def known(self, research_id: str) -> Known | None:
        return next((known for known in self.rows if known.research_id == research_id), None)

    def budget(self, scope: Scope, short: int) -> float | None:
        """None, or a budget that is half a request short or just enough."""
        if short > 3:
            return None
        spent = PRICE * len([line for line in self.lines if line.scope.payer == scope.payer])
        return spent + (PRICE if short else PRICE / 2)

    def charged(self, scope: Scope) -> Line:
        line = Line(scope)
        self.lines.append(line)
        return line

    def settled(self, in_flight: InFlight, state: str) -> None:
        in_flight.line.state = state
        if state == "unsent":
            self.lines.remove(in_flight.line)
            in_flight.known.lines.remove(in_flight.line)


def pick(items: Any, number: int) -> Any:
    """One of them."""
    return items[number % len(items)]


def works_on(worker: Worker, research_id: str) -> bool:
    return any(in_flight.known.research_id == research_id for in_flight in worker.flights)


def late(items: Any, number: int) -> Any:
    """Mostly one of the last two, since rows in flight are more interesting."""
    return items[number % len(items)] if number > 8 else items[-1 - number // 6 % len(items)]


def whose_turn(number: int) -> Scope:
    """Mostly the first, so that workers meet."""
    return SCOPES[0] if number < 8 else pick(SCOPES, number)


def near(one: float, other: float) -> bool:
    return abs(one - other) < 1e-6


def same_time(one: float | None, other: float | None) -> bool:
    return (one is None) == (other is None) and abs((one or 0) - (other or 0)) < 1e-4
