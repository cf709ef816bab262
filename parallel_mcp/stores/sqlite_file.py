"""A SQLite file: opened at its first use, its errors in words."""

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from parallel_mcp import errors
from parallel_mcp.stores.private_file import make_private

LOCK_SECONDS = 0.1
"""How long one attempt waits while another program holds the file."""


LEAST_FREE_BYTES = 256 * 1024
"""What a large answer takes."""


class FileHeld(errors.StoreFailed):
    """Another program holds the file; nothing was done."""


class SQLiteFile:
    """A connection to a file, or to a database in memory where `path` is None.

    It is opened at the first use, and again after a failure or when another file stands in its place. `schema` is the
    statements of each version: a file of an older one gets those that it lacks.
    """

    def __init__(self, path: Path | None, schema: Sequence[Sequence[str]]) -> None:
        self._path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None
        self._durable: bool | None = None

    def close(self) -> None:
        """Close it, if it was opened. Rows in memory are gone."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Everything in the block, or nothing of it; a durable one is on the disk afterwards.

        Raises FileHeld, or StoreFailed for what SQLite and the system raise.
        """
        try:
            db = self._ready()
            self._sync(db, durable)
            with _whole(db):
                yield db
        except (sqlite3.Error, OSError) as error:
            if self._path is not None and not _passing(error):
                self.close()
            raise self.failed(error) from error

    def check_room(self) -> None:
        """Raises StoreFailed where the disk has no room: a small write may still find some in SQLite's own files."""
        if self._path is not None and shutil.disk_usage(self._path.parent).free < LEAST_FREE_BYTES:
            raise self.failed(OSError(errno.ENOSPC, "the disk is full"))

    def failed(self, error: Exception) -> errors.StoreFailed:
        """The error of ours for one of SQLite's, of the system's, or for a row that cannot be read."""
        held = _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        words = f"Research is stored in {self._path or 'memory'}, and that failed: {_reason(error)}"
        return FileHeld(words) if held else errors.StoreFailed(words)

    def _ready(self) -> sqlite3.Connection:
        """The connection, to the file that has the name now."""
        if self._connection is not None and self._path is not None and _identity(self._path) != self._opened_file:
            self.close()
        if self._connection is None:
            self._connection = self._opened()
            self._opened_file = _identity(self._path) if self._path is not None else None
            self._durable = None
        return self._connection

    def _sync(self, db: sqlite3.Connection, durable: bool) -> None:
        """With a write-ahead log, NORMAL leaves the disk to the system until a FULL commit syncs all that is there."""
        if durable != self._durable:
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _opened(self) -> sqlite3.Connection:
        if self._path is not None:
            make_private(self._path)
        db = sqlite3.connect(
            self._path or ":memory:", timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.row_factory = sqlite3.Row
            if self._path is not None:
                db.execute("PRAGMA journal_mode = WAL")
            with _whole(db):
                self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(self._schema):
            raise sqlite3.DatabaseError("it was written by a newer parallel-mcp; update this one")
        if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("it is a database of another program; set PARALLEL_MCP_STORE to another file")
        if version == len(self._schema):
            return
        for statements in self._schema[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(self._schema)}")


@contextmanager
def _whole(db: sqlite3.Connection) -> Iterator[None]:
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


def _code(error: BaseException) -> int:
    """SQLite's primary code; 0 where there is none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or 'the file cannot be opened'}. Correct that, or set PARALLEL_MCP_STORE."
    if isinstance(error, ValueError):
        return "a row cannot be read by this version. Keep a copy of the file, then move it away."
    return _REASONS.get(_code(error), f"{error}.")


def _passing(error: Exception) -> bool:
    """Whether the same connection will do again: it was only busy, or the disk was only full."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
