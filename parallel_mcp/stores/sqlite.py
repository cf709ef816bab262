"""Research runs in one SQLite file, shared by any number of processes on one machine."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from parallel_mcp import errors
from parallel_mcp.models import Answer
from parallel_mcp.research import (
    INTERRUPTED,
    LEASE_SECONDS,
    MAX_ATTEMPTS,
    Admission,
    NewRun,
    Outcome,
    ResearchRun,
    Scope,
    Settlement,
    Spent,
)
from parallel_mcp.research.store import MAX_WORKING_BYTES, MAX_WORKING_RUNS
from parallel_mcp.stores import serialization
from parallel_mcp.stores.sqlite_file import SQLiteFile
from parallel_mcp.stores.sqlite_writer import SQLiteWriter

T = TypeVar("T")
Work = Callable[[sqlite3.Connection, float], T]
"""What one transaction does, given the store's current time."""

SWEEP_SECONDS = 600.0
DAY_SECONDS = 86400.0
LEDGER_DAYS = 400

# Without STRICT and RETURNING, so that SQLite 3.24 is enough: some systems with Python 3.11 still have 3.34.
_FIRST = (
    """
    CREATE TABLE research (
        id TEXT PRIMARY KEY,
        caller TEXT NOT NULL,
        payer TEXT NOT NULL,
        origin TEXT NOT NULL,
        key TEXT,                       -- null once it must not be joined or reused
        question TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at REAL NOT NULL,
        attempts INTEGER NOT NULL,
        holder TEXT,
        due REAL,
        finished_at REAL,
        answer TEXT,
        error TEXT,
        may_be_billed INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL NOT NULL DEFAULT 0
    )
    """,
    "CREATE UNIQUE INDEX research_under_way ON research (key) WHERE status = 'working'",
    "CREATE INDEX research_by_key ON research (key, finished_at)",
    "CREATE INDEX research_by_age ON research (caller, created_at, id)",
    """
    CREATE TABLE waiting (
        id TEXT NOT NULL,
        waiter TEXT NOT NULL,
        due REAL NOT NULL,
        PRIMARY KEY (id, waiter)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE ledger (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        day TEXT NOT NULL,
        caller TEXT NOT NULL,
        payer TEXT NOT NULL,
        model TEXT NOT NULL,
        research TEXT,
        holder TEXT,                    -- whose request it is: two may be out for one research; or the charge's number
        usd REAL NOT NULL,
        state TEXT NOT NULL             -- 'sent' until it is settled: a crash leaves it possibly billed
    )
    """,
    "CREATE INDEX ledger_by_day ON ledger (payer, day)",
    "CREATE INDEX ledger_by_research ON ledger (research, holder)",
)


# The database keeps each payer's total for the day, so that checking a budget never takes longer after more calls.
_SECOND = (
    "ALTER TABLE research ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",  # of the question
    "CREATE INDEX research_working ON research (caller, bytes) WHERE status = 'working'",
    "CREATE INDEX research_by_end ON research (finished_at)",
    "CREATE TABLE total (payer TEXT NOT NULL, day TEXT NOT NULL, usd REAL NOT NULL, PRIMARY KEY (payer, day))",
    "INSERT INTO total SELECT payer, day, sum(usd) FROM ledger GROUP BY payer, day",
    """
    CREATE TRIGGER charged AFTER INSERT ON ledger BEGIN
        INSERT OR IGNORE INTO total VALUES (NEW.payer, NEW.day, 0);
        UPDATE total SET usd = usd + NEW.usd WHERE payer = NEW.payer AND day = NEW.day;
    END
    """,
    """
    CREATE TRIGGER taken_off AFTER DELETE ON ledger BEGIN
        UPDATE total SET usd = usd - OLD.usd WHERE payer = OLD.payer AND day = OLD.day;
    END
    """,
)


class SQLiteStore:
    """A `Store` in a SQLite file, or in memory if `path` is None. `clock` returns Unix seconds.

    An answer is on the disk before anyone gets it, and so is a charge if there is a budget. Everything else survives
    this process at once, and reaches the disk with the next such commit or when the system writes it.
    """

    def __init__(
        self, path: Path | None, *, retention_days: float = 30, clock: Callable[[], float] = time.time
    ) -> None:
        self._file = SQLiteFile(None if path is None else Path(os.path.expanduser(path)), (_FIRST, _SECOND))
        self._writer = SQLiteWriter(self._file)
        self._retention = retention_days * DAY_SECONDS
        self._clock = clock
        self._swept = float("-inf")

    async def close(self) -> None:
        """Close the file, if it was opened. Rows in memory are gone."""
        await self._writer.close()

    async def add_or_join(self, new: NewRun) -> tuple[ResearchRun, Admission]:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> tuple[ResearchRun, Admission]:
            row = _like(db, new, now)
            if row is not None and row.status == "completed":
                return row, "finished"
            admission: Admission = "joined"
            if row is None:
                admission = "added"
                question = serialization.dump(new.question)
                _check_working(db, new.scope.caller, len(question.encode()))
                line = (new.scope, new.question.model, new.price_usd, new.budget_usd)
                _reserve(db, now, *line, research_id=new.research_id, holder=new.holder)
                row = _insert(db, new, question, now)
            if new.waiter is not None:
                _note(db, row.research_id, new.waiter, now)
            return row, admission

        return await self._run(work, durable=new.budget_usd is not None)

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            row = _scoped(db, research_id, scope, now)
            if row is not None and waiter is not None and row.status == "working":
                _note(db, research_id, waiter, now)
            return row

        return await self._run(work)

    async def check(self) -> None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> None:
            self._file.check_room()
            db.execute("INSERT OR REPLACE INTO waiting (id, waiter, due) VALUES ('check', 'check', ?)", (now,))

        await self._run(work, durable=True)

    async def leave(self, research_id: str, waiter: str) -> None:
        """See Store."""

        def work(db: sqlite3.Connection, _: float) -> None:
            db.execute("DELETE FROM waiting WHERE id = ? AND waiter = ?", (research_id, waiter))

        await self._run(work)

    async def claim(
        self, seen: ResearchRun, holder: str, price_usd: float, budget_usd: float | None
    ) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            row = _scoped(db, seen.research_id, seen.scope, now)
            if row is None or not row.lapsed or (row.holder, row.due) != (seen.holder, seen.due):
                return None
            if row.attempts >= MAX_ATTEMPTS:
                db.execute(
                    "UPDATE research SET status = 'failed', key = NULL, holder = NULL, due = NULL, finished_at = ?,"
                    " error = ?, may_be_billed = 1 WHERE id = ?",
                    (now, INTERRUPTED, row.research_id),
                )
                return _row(db, row.research_id, now)
            line = (row.scope, row.question.model, price_usd, budget_usd)
            _reserve(db, now, *line, research_id=row.research_id, holder=holder)
            db.execute(
                "UPDATE research SET holder = ?, due = ?, attempts = attempts + 1, cost_usd = cost_usd + ?"
                " WHERE id = ?",
                (holder, now + LEASE_SECONDS, price_usd, row.research_id),
            )
            return _row(db, row.research_id, now)

        return await self._run(work, durable=budget_usd is not None)

    async def renew(self, research_id: str, holder: str) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            db.execute(
                "UPDATE research SET due = ? WHERE id = ? AND holder = ? AND status = 'working'",
                (now + LEASE_SECONDS, research_id, holder),
            )
            return _found(db, research_id, now)

        return await self._run(work)

    async def release(self, research_id: str, holder: str, *, sent: bool) -> None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> None:
            charge = _charge(db, research_id, holder)
            row = _found(db, research_id, now)
            back = _settled(db, charge, "maybe" if sent else "unsent")
            if row is None:
                return
            if not sent and (charge or row.holder == holder):
                _take_back(db, row, back)
            db.execute(
                "UPDATE research SET holder = NULL, due = NULL WHERE id = ? AND holder = ?", (research_id, holder)
            )
            # Nothing was sent for it, and nobody wants it.
            db.execute("DELETE FROM research WHERE id = ? AND status = 'cancelled' AND attempts = 0", (research_id,))

        await self._run(work)

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            # Settled whatever becomes of the row, since the request was billed or not regardless.
            back = _settled(db, _charge(db, research_id, holder), outcome.settlement)
            if back:
                db.execute("UPDATE research SET cost_usd = cost_usd - ? WHERE id = ?", (back, research_id))
            row = _found(db, research_id, now)
            if row is None or row.status == "completed":
                return row
            if outcome.answer is not None:
                return _complete(db, row, outcome.answer, outcome.reusable, now)
            if row.status == "working" and row.holder == holder:
                return _fail(db, row, outcome, now)
            return row

        return await self._run(work, durable=True)

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            row = _scoped(db, research_id, scope, now)
            if row is None or row.status != "working":
                return row
            db.execute("DELETE FROM waiting WHERE id = ? AND (waiter = ? OR due <= ?)", (research_id, waiter, now))
            if db.execute("SELECT 1 FROM waiting WHERE id = ?", (research_id,)).fetchone():
                return row
            # The holder stays, so that it can still report that nothing was sent.
            db.execute(
                "UPDATE research SET status = 'cancelled', key = NULL, due = NULL, finished_at = ?,"
                " may_be_billed = attempts > 0 WHERE id = ?",
                (now, research_id),
            )
            db.execute("DELETE FROM waiting WHERE id = ?", (research_id,))
            cancelled = _row(db, research_id, now)
            if not row.attempts:
                db.execute("DELETE FROM research WHERE id = ?", (research_id,))
            return cancelled

        return await self._run(work)

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[ResearchRun]:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> Sequence[ResearchRun]:
            rows = db.execute(
                f"SELECT {_WITHOUT_ANSWER} FROM research WHERE {_SEEN_BY}"
                " AND (? IS NULL OR (created_at, id) <"
                " (SELECT created_at, id FROM research WHERE id = ? AND caller = ?))"
                " ORDER BY created_at DESC, id DESC LIMIT ?",
                (scope.caller, scope.payer, scope.origin, before, before, scope.caller, limit),
            )
            return [_read(row, now) for row in rows.fetchall()]

        return await self._run(work)

    async def forget(self, scope: Scope, research_id: str | None = None) -> int:
        """See Store."""

        def work(db: sqlite3.Connection, _: float) -> int:
            gone = db.execute(
                f"DELETE FROM research WHERE {_SEEN_BY} AND (id = ? OR (? IS NULL AND status <> 'working'))",
                (scope.caller, scope.payer, scope.origin, research_id, research_id),
            )
            return gone.rowcount

        return await self._run(work)

    async def charge(self, scope: Scope, model: str, price_usd: float, budget_usd: float | None) -> int:
        """See Store. If there is no budget, the line is written a moment later."""
        charge = secrets.randbits(62)
        at = self._clock()

        def work(db: sqlite3.Connection, _: float) -> None:
            _reserve(db, at, scope, model, price_usd, budget_usd, research_id=None, holder=str(charge))

        if budget_usd is not None:
            await self._run(work, durable=True)
        elif price_usd:
            self._writer.post(self._timed(work), "A web_answer went out without a line in the ledger")
        return charge

    async def settle(self, charge: int, settlement: Settlement) -> None:
        """See Store."""

        def work(db: sqlite3.Connection, _: float) -> None:
            _settled(db, _charge(db, None, str(charge)), settlement)

        self._writer.post(self._timed(work), "A web_answer could not be settled and counts as possibly billed")

    async def spent(self, scope: Scope, days: int = 31) -> Sequence[Spent]:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> Sequence[Spent]:
            lines = db.execute(
                "SELECT day, model, count(*), sum(usd), sum(CASE WHEN state = 'billed' THEN 0.0 ELSE usd END)"
                " FROM ledger WHERE caller = ? AND ? IN (payer, '') AND day > ?"
                " GROUP BY day, model ORDER BY day DESC, model",
                (scope.caller, scope.payer, _day(now - days * DAY_SECONDS)),
            )
            return [Spent(*line) for line in lines.fetchall()]

        return await self._run(work)

    async def _run(self, work: Work[T], *, durable: bool = False) -> T:
        return await self._writer.run(self._timed(work), durable=durable)

    def _timed(self, work: Work[T]) -> Callable[[sqlite3.Connection], T]:
        """The work, given the store's current time."""

        def timed(db: sqlite3.Connection) -> T:
            now = self._clock()
            self._sweep(db, now)
            return work(db, now)

        return timed

    def _sweep(self, db: sqlite3.Connection, now: float) -> None:
        """Delete what is older than the retention time, every so often."""
        if 0 <= now - self._swept < min(SWEEP_SECONDS, self._retention):
            return
        self._swept = now
        old = now - self._retention
        db.execute("DELETE FROM research WHERE status <> 'working' AND finished_at <= ?", (old,))
        # Nobody came back for it in all that time.
        stale = "DELETE FROM research WHERE status = 'working' AND created_at <= ? AND coalesce(due, created_at) <= ?"
        db.execute(stale, (old, now - DAY_SECONDS))
        db.execute("DELETE FROM waiting WHERE due <= ?", (now,))
        for table in ("ledger", "total"):
            db.execute(f"DELETE FROM {table} WHERE day < ?", (_day(now - LEDGER_DAYS * DAY_SECONDS),))


_SEEN_BY = "caller = ? AND ? IN (payer, '') AND ? IN (origin, '')"


_WITHOUT_ANSWER = (
    "id, caller, payer, origin, question, status, created_at, attempts, holder, due, finished_at, NULL AS answer,"
    " error, may_be_billed, cost_usd"
)


def _like(db: sqlite3.Connection, new: NewRun, now: float) -> ResearchRun | None:
    """The row in flight for the same question, or one completed recently."""
    found = db.execute("SELECT * FROM research WHERE key = ? AND status = 'working'", (new.key,)).fetchone()
    if found is None and new.reuse_seconds > 0:
        found = db.execute(
            "SELECT * FROM research WHERE key = ? AND status = 'completed' AND finished_at > ?"
            " ORDER BY finished_at DESC, rowid DESC LIMIT 1",
            (new.key, now - new.reuse_seconds),
        ).fetchone()
    return None if found is None else _read(found, now)


def _check_working(db: sqlite3.Connection, caller: str, more_bytes: int) -> None:
    """Raise TooManyWorking if a caller has too many runs in flight, or too large ones."""
    runs, size = db.execute(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM research WHERE caller = ? AND status = 'working'", (caller,)
    ).fetchone()
    if runs >= MAX_WORKING_RUNS or size + more_bytes > MAX_WORKING_BYTES:
        raise errors.TooManyWorking(runs)


def _insert(db: sqlite3.Connection, new: NewRun, question: str, now: float) -> ResearchRun:
    scope, due = new.scope, now + LEASE_SECONDS
    db.execute(
        "INSERT INTO research (id, caller, payer, origin, key, question, bytes, cost_usd, holder, created_at, due,"
        " status, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'working', 1)",
        (
            *(new.research_id, scope.caller, scope.payer, scope.origin, new.key, question, len(question.encode())),
            *(new.price_usd, new.holder, now, due),
        ),
    )
    return ResearchRun(
        research_id=new.research_id,
        scope=scope,
        question=new.question,
        status="working",
        created_at=now,
        attempts=1,
        holder=new.holder,
        due=due,
        finished_at=None,
        answer=None,
        error=None,
        may_be_billed=False,
        cost_usd=new.price_usd,
        read_at=now,
    )


def _note(db: sqlite3.Connection, research_id: str, waiter: str, now: float) -> None:
    """Note a waiter for the time of a lease. Renewed only after half of it, since each time is a write."""
    noted = db.execute("SELECT due FROM waiting WHERE id = ? AND waiter = ?", (research_id, waiter)).fetchone()
    if noted is None or not now + LEASE_SECONDS / 2 < noted["due"] <= now + LEASE_SECONDS:
        db.execute("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", (research_id, waiter, now + LEASE_SECONDS))


def _complete(db: sqlite3.Connection, row: ResearchRun, answer: Answer, reusable: bool, now: float) -> ResearchRun:
    done = replace(
        row,
        status="completed",
        answer=answer,
        error=None,
        may_be_billed=row.attempts > 1,
        finished_at=now,
        holder=None,
        due=None,
    )
    db.execute(
        "UPDATE research SET status = 'completed', answer = ?, error = NULL, may_be_billed = ?, finished_at = ?,"
        " holder = NULL, due = NULL, key = CASE WHEN ? THEN key END WHERE id = ?",
        (serialization.dump(answer), done.may_be_billed, now, reusable, row.research_id),
    )
    db.execute("DELETE FROM waiting WHERE id = ?", (row.research_id,))
    return done


def _fail(db: sqlite3.Connection, row: ResearchRun, outcome: Outcome, now: float) -> ResearchRun:
    done = replace(
        row,
        status="failed",
        error=outcome.error,
        may_be_billed=outcome.may_be_billed or row.attempts > 1,
        finished_at=now,
        holder=None,
        due=None,
    )
    db.execute(
        "UPDATE research SET status = 'failed', key = NULL, error = ?, may_be_billed = ?, finished_at = ?,"
        " holder = NULL, due = NULL WHERE id = ?",
        (done.error, done.may_be_billed, now, row.research_id),
    )
    db.execute("DELETE FROM waiting WHERE id = ?", (row.research_id,))
    return done


def _take_back(db: sqlite3.Connection, row: ResearchRun, back: float) -> None:
    """Uncount a request of this row that was not sent. `back` is what it would have cost."""
    db.execute(
        "UPDATE research SET attempts = attempts - 1, cost_usd = cost_usd - ?,"
        " may_be_billed = may_be_billed AND attempts > 1 WHERE id = ?",
        (back, row.research_id),
    )


def _reserve(
    db: sqlite3.Connection,
    now: float,
    scope: Scope,
    model: str,
    price: float,
    budget: float | None,
    *,
    research_id: str | None,
    holder: str,
) -> None:
    """Add a line to the ledger if there is anything to pay. Raises BudgetReached."""
    if not price:
        return
    if budget is not None:
        found = db.execute("SELECT usd FROM total WHERE payer = ? AND day = ?", (scope.payer, _day(now))).fetchone()
        spent = found["usd"] if found is not None else 0.0
        # Half a thousandth of a cent of slack, so that rounding does not refuse the last call that fits.
        if spent + price > budget + 5e-6:
            raise errors.BudgetReached(budget, spent, price)
    line = (_day(now), scope.caller, scope.payer, model, research_id, holder, price)
    db.execute("INSERT INTO ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 'sent')", line)


def _charge(db: sqlite3.Connection, research_id: str | None, holder: str) -> int:
    """The ledger line of the request that this holder has in flight, or 0."""
    number: int = db.execute(
        "SELECT coalesce(max(number), 0) FROM ledger WHERE research IS ? AND holder = ? AND state = 'sent'",
        (research_id, holder),
    ).fetchone()[0]
    return number


def _settled(db: sqlite3.Connection, charge: int, settlement: Settlement) -> float:
    """Settle a line. Returns the US dollars given back."""
    if settlement != "unsent":
        db.execute("UPDATE ledger SET state = ? WHERE number = ?", (settlement, charge))
        return 0.0
    back: float = db.execute("SELECT coalesce(sum(usd), 0) FROM ledger WHERE number = ?", (charge,)).fetchone()[0]
    db.execute("DELETE FROM ledger WHERE number = ?", (charge,))
    return back


def _scoped(db: sqlite3.Connection, research_id: str, scope: Scope, now: float) -> ResearchRun | None:
    row = _found(db, research_id, now)
    return row if row is not None and row.scope == scope else None


def _row(db: sqlite3.Connection, research_id: str, now: float) -> ResearchRun:
    row = _found(db, research_id, now)
    assert row is not None
    return row


def _found(db: sqlite3.Connection, research_id: str, now: float) -> ResearchRun | None:
    found = db.execute("SELECT * FROM research WHERE id = ?", (research_id,)).fetchone()
    return None if found is None else _read(found, now)


def _read(found: sqlite3.Row, now: float) -> ResearchRun:
    return ResearchRun(
        research_id=found["id"],
        scope=Scope(found["caller"], found["payer"], found["origin"]),
        question=serialization.load_question(found["question"]),
        status=found["status"],
        created_at=found["created_at"],
        attempts=found["attempts"],
        holder=found["holder"],
        due=found["due"],
        finished_at=found["finished_at"],
        answer=serialization.load_answer(found["answer"]) if found["answer"] else None,
        error=found["error"],
        may_be_billed=bool(found["may_be_billed"]),
        cost_usd=max(found["cost_usd"], 0.0),
        read_at=now,
    )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
