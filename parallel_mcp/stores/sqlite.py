"""Research in one SQLite file, which any number of processes of one machine share."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

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
from parallel_mcp.stores import text
from parallel_mcp.stores.private_file import make_private

T = TypeVar("T")
Work = Callable[[sqlite3.Connection, float], T]
"""What one transaction does, with the store's now."""

VERSION = 1
BUSY_SECONDS = 5.0
"""How long a call waits while another program holds the file."""
SLICE_SECONDS = 0.1
"""How much of that a thread waits at once, so that a cancelled call is gone soon."""
SWEEP_SECONDS = 600.0
DAY_SECONDS = 86400.0
LEDGER_DAYS = 400

# Neither STRICT nor RETURNING, so that SQLite 3.24 and later will do: some systems that have Python 3.11
# still bring 3.34.
_TABLES = (
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
        holder TEXT,                    -- whose request it is: two may be out for one research
        usd REAL NOT NULL,
        state TEXT NOT NULL             -- 'sent' until it is settled: a crash leaves it possibly billed
    )
    """,
    "CREATE INDEX ledger_by_day ON ledger (payer, day)",
    "CREATE INDEX ledger_by_research ON ledger (research, holder)",
)


class _Held(Exception):
    """Another program holds the file; the cause is SQLite's error."""


class SQLiteStore:
    """A `Store` in a SQLite file, or in memory where `path` is None.

    The file is opened at the first use, and again after a failure or when another stands in its place, so
    that a server starts whatever its state. `clock` gives Unix seconds.
    """

    def __init__(
        self, path: Path | None, *, retention_days: float = 30, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = None if path is None else Path(os.path.expanduser(path))
        self._retention = retention_days * DAY_SECONDS
        self._clock = clock
        # One thread at a time: a connection has one transaction.
        self._limiter = anyio.CapacityLimiter(1)
        self._connection: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None
        self._swept = float("-inf")

    async def close(self) -> None:
        """Close the file, if it was opened. Rows in memory are gone."""
        await anyio.to_thread.run_sync(self._close, limiter=self._limiter)

    async def add_or_join(self, new: NewRun) -> tuple[ResearchRun, Admission]:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> tuple[ResearchRun, Admission]:
            found = _like(db, new, now)
            if found is not None:
                return found, "joined" if found.status == "working" else "finished"
            line = (new.scope, new.question.model, new.price_usd, new.budget_usd)
            _reserve(db, now, *line, research_id=new.research_id, holder=new.holder)
            _insert(db, new, now)
            return _row(db, new.research_id, now), "added"

        return await self._run(work)

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            row = _scoped(db, research_id, scope, now)
            if row is not None and waiter is not None and row.status == "working":
                _note(db, research_id, waiter, now)
            return row

        return await self._run(work)

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

        return await self._run(work)

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

        await self._run(work)

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            # Settled whatever becomes of the row: this request was paid, or not.
            settlement: Settlement = (
                "billed" if outcome.answer is not None else "maybe" if outcome.may_be_billed else "unsent"
            )
            back = _settled(db, _charge(db, research_id, holder), settlement)
            db.execute("UPDATE research SET cost_usd = cost_usd - ? WHERE id = ?", (back, research_id))
            row = _found(db, research_id, now)
            if row is None or row.status == "completed":
                return row
            if outcome.answer is not None:
                _complete(db, row, outcome.answer, outcome.reusable, now)
            elif row.status == "working" and row.holder == holder:
                _fail(db, row, outcome, now)
            return _row(db, research_id, now)

        return await self._run(work)

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> ResearchRun | None:
            row = _scoped(db, research_id, scope, now)
            if row is None or row.status != "working":
                return row
            db.execute("DELETE FROM waiting WHERE id = ? AND (waiter = ? OR due <= ?)", (research_id, waiter, now))
            if db.execute("SELECT 1 FROM waiting WHERE id = ?", (research_id,)).fetchone():
                return row
            # The holder stays noted, so that it can still say that nothing had been sent.
            db.execute(
                "UPDATE research SET status = 'cancelled', key = NULL, due = NULL, finished_at = ?,"
                " may_be_billed = 1 WHERE id = ?",
                (now, research_id),
            )
            return _row(db, research_id, now)

        return await self._run(work)

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[ResearchRun]:
        """See Store."""

        def work(db: sqlite3.Connection, now: float) -> Sequence[ResearchRun]:
            rows = db.execute(
                f"SELECT * FROM research WHERE {_SEEN_BY}"
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
        """See Store."""
        return await self._run(lambda db, now: _reserve(db, now, scope, model, price_usd, budget_usd))

    async def settle(self, charge: int, settlement: Settlement) -> None:
        """See Store."""
        await self._run(lambda db, _: _settled(db, charge, settlement))

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

    async def _run(self, work: Work[T]) -> T:
        deadline = anyio.current_time() + BUSY_SECONDS
        while True:
            try:
                # Not abandoned when it is cancelled: what a transaction did has to be known.
                return await anyio.to_thread.run_sync(self._transact, work, limiter=self._limiter)
            except _Held as held:
                if anyio.current_time() >= deadline:
                    raise errors.StoreFailed(self._told(held.__cause__)) from held.__cause__
            await anyio.sleep(SLICE_SECONDS / 2)

    def _transact(self, work: Work[T]) -> T:
        """Do one thing, whole or not at all. Raises StoreFailed, or _Held where it is worth trying again."""
        try:
            db = self._ready()
            with _transaction(db):
                now = self._clock()
                self._sweep(db, now)
                return work(db, now)
        except (sqlite3.Error, OSError, ValueError) as error:
            # Rows in memory live in the connection; and nothing was wrong with it where a row cannot be read.
            if self._path is not None and not isinstance(error, ValueError) and not _passing(error):
                self._close()
            if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise _Held from error
            raise errors.StoreFailed(self._told(error)) from error

    def _sweep(self, db: sqlite3.Connection, now: float) -> None:
        """Delete what is older than the retention, now and then."""
        if 0 <= now - self._swept < min(SWEEP_SECONDS, self._retention):
            return
        self._swept = now
        old = now - self._retention
        db.execute("DELETE FROM research WHERE status <> 'working' AND finished_at <= ?", (old,))
        # Nobody came back for it in all that time.
        stale = "DELETE FROM research WHERE status = 'working' AND created_at <= ? AND coalesce(due, created_at) <= ?"
        db.execute(stale, (old, now - DAY_SECONDS))
        db.execute("DELETE FROM waiting WHERE due <= ?", (now,))
        db.execute("DELETE FROM ledger WHERE day < ?", (_day(now - LEDGER_DAYS * DAY_SECONDS),))

    def _ready(self) -> sqlite3.Connection:
        """The connection, to the file that has the name now."""
        if self._connection is not None and self._path is not None and _identity(self._path) != self._opened_file:
            self._close()
        if self._connection is None:
            self._connection = self._opened()
            self._opened_file = _identity(self._path) if self._path is not None else None
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            make_private(self._path)
        db = sqlite3.connect(
            self._path or ":memory:", timeout=SLICE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA synchronous = FULL")
            if self._path is not None:
                db.execute("PRAGMA journal_mode = WAL")
            with _transaction(db):
                _prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _told(self, error: BaseException | None) -> str:
        return f"Research is kept in {self._path or 'memory'}, and that failed: {_reason(error)}"


_SEEN_BY = "caller = ? AND ? IN (payer, '') AND ? IN (origin, '')"


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, and cannot any more after others.
        with contextlib.suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise sqlite3.DatabaseError("it was written by a newer parallel-mcp; update this one")
    if version == VERSION:
        return
    if db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("it is a database of another program; set PARALLEL_MCP_STORE to another file")
    for statement in _TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _like(db: sqlite3.Connection, new: NewRun, now: float) -> ResearchRun | None:
    """The row under way for the same question, or one that was completed lately."""
    since = now - new.reuse_seconds if new.reuse_seconds > 0 else float("inf")
    found = db.execute(
        "SELECT * FROM research WHERE key = ? AND (status = 'working'"
        " OR (status = 'completed' AND finished_at > ?)) ORDER BY status DESC, finished_at DESC, rowid DESC LIMIT 1",
        (new.key, since),
    ).fetchone()
    return None if found is None else _read(found, now)


def _insert(db: sqlite3.Connection, new: NewRun, now: float) -> None:
    scope = new.scope
    db.execute(
        "INSERT INTO research (id, caller, payer, origin, key, question, cost_usd, holder, created_at, due, status,"
        " attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'working', 1)",
        (
            *(new.research_id, scope.caller, scope.payer, scope.origin, new.key, text.written(new.question)),
            *(new.price_usd, new.holder, now, now + LEASE_SECONDS),
        ),
    )


def _note(db: sqlite3.Connection, research_id: str, waiter: str, now: float) -> None:
    """Note a waiter for a lease's time; not at every look, for each time is a write to the disk."""
    noted = db.execute("SELECT due FROM waiting WHERE id = ? AND waiter = ?", (research_id, waiter)).fetchone()
    if noted is None or not now + LEASE_SECONDS / 2 < noted["due"] <= now + LEASE_SECONDS:
        db.execute("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", (research_id, waiter, now + LEASE_SECONDS))


def _complete(db: sqlite3.Connection, row: ResearchRun, answer: Answer, reusable: bool, now: float) -> None:
    db.execute(
        "UPDATE research SET status = 'completed', answer = ?, error = NULL, may_be_billed = ?, finished_at = ?,"
        " holder = NULL, due = NULL, key = CASE WHEN ? THEN key END WHERE id = ?",
        (text.written(answer), row.attempts > 1, now, reusable, row.research_id),
    )


def _fail(db: sqlite3.Connection, row: ResearchRun, outcome: Outcome, now: float) -> None:
    db.execute(
        "UPDATE research SET status = 'failed', key = NULL, error = ?, may_be_billed = ?, finished_at = ?,"
        " holder = NULL, due = NULL WHERE id = ?",
        (outcome.error, outcome.may_be_billed or row.attempts > 1, now, row.research_id),
    )


def _take_back(db: sqlite3.Connection, row: ResearchRun, back: float) -> None:
    """A request of this row was not sent after all; `back` is what it would have cost."""
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
    research_id: str | None = None,
    holder: str | None = None,
) -> int:
    """A line in the ledger; its number, or 0 where there is nothing to pay. Raises BudgetReached."""
    if not price:
        return 0
    if budget is not None:
        total = "SELECT coalesce(sum(usd), 0) FROM ledger WHERE payer = ? AND day = ?"
        spent = db.execute(total, (scope.payer, _day(now))).fetchone()[0]
        # Half a thousandth of a cent: sums of floats must not refuse the last call that fits.
        if spent + price > budget + 5e-6:
            raise errors.BudgetReached(budget, spent, price)
    line = (_day(now), scope.caller, scope.payer, model, research_id, holder, price)
    return db.execute("INSERT INTO ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 'sent')", line).lastrowid or 0


def _charge(db: sqlite3.Connection, research_id: str, holder: str) -> int:
    """The number of the line for the request that this holder has out; 0 for none."""
    number: int = db.execute(
        "SELECT coalesce(max(number), 0) FROM ledger WHERE research = ? AND holder = ? AND state = 'sent'",
        (research_id, holder),
    ).fetchone()[0]
    return number


def _settled(db: sqlite3.Connection, charge: int, settlement: Settlement) -> float:
    """Settle a line; the US dollars that were given back."""
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
        question=text.question(found["question"]),
        status=found["status"],
        created_at=found["created_at"],
        attempts=found["attempts"],
        holder=found["holder"],
        due=found["due"],
        finished_at=found["finished_at"],
        answer=text.answer(found["answer"]) if found["answer"] else None,
        error=found["error"],
        may_be_billed=bool(found["may_be_billed"]),
        cost_usd=max(found["cost_usd"], 0.0),
        read_at=now,
    )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


_REASONS = {
    sqlite3.SQLITE_BUSY: "another program holds the file; close it, or try again.",
    sqlite3.SQLITE_LOCKED: "another program holds the file; close it, or try again.",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space, or set PARALLEL_MCP_STORE to a file elsewhere.",
    sqlite3.SQLITE_READONLY: "the file is not writable. Correct its permissions, or set PARALLEL_MCP_STORE.",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened. Correct its permissions, or set PARALLEL_MCP_STORE.",
    sqlite3.SQLITE_NOTADB: "the file is damaged or is no SQLite file. Keep a copy, then move it away.",
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Keep a copy, then move it away.",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it.",
}


def _code(error: BaseException | None) -> int:
    """SQLite's primary code; 0 where there is none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _reason(error: BaseException | None) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or 'the file cannot be opened'}. Correct that, or set PARALLEL_MCP_STORE."
    if isinstance(error, ValueError):
        return "a row cannot be read by this version. Keep a copy of the file, then move it away."
    return _REASONS.get(_code(error), f"{error}.")


def _passing(error: Exception) -> bool:
    """Whether the same connection will do again: it was only busy, or the disk was only full."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
