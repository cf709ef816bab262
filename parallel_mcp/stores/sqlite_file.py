"""A SQLite file that opens on first use and explains its errors."""

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
"""How long one attempt waits for another program to release the file."""


LEAST_FREE_BYTES = 256 * 1024
"""Enough for a large answer."""


class FileHeld(errors.StoreFailed):
    """Another program holds the file; nothing was done."""


class SQLiteFile:
    """A connection to a file, or to a database in memory if `path` is None.

    It opens on first use, and again after a failure or if the file was replaced. `schema` has the statements of each
    version: an older file gets the ones it lacks.
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
        """Commit everything in the block, or nothing. A durable transaction is on the disk afterwards.

        Raises FileHeld, or StoreFailed for other errors of SQLite and the system.
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
        """Raise StoreFailed if the disk is full. A small write may still fit into SQLite's own files."""
        if self._path is not None and shutil.disk_usage(self._path.parent).free < LEAST_FREE_BYTES:
            raise self.failed(OSError(errno.ENOSPC, "the disk is full"))

    def failed(self, error: Exception) -> errors.StoreFailed:
        """The StoreFailed for an error of SQLite or the system, or for an unreadable row."""
        held = _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        words = f"The research store ({self._path or 'memory'}) failed: {_reason(error)}"
        return FileHeld(words) if held else errors.StoreFailed(words)

    def _ready(self) -> sqlite3.Connection:
        """The connection to the file that is at the path now."""
        if self._connection is not None and self._path is not None and _identity(self._path) != self._opened_file:
            self.close()
        if self._connection is None:
            self._connection = self._opened()
            self._opened_file = _identity(self._path) if self._path is not None else None
            self._durable = None
        return self._connection

    def _sync(self, db: sqlite3.Connection, durable: bool) -> None:
        """Set whether commits sync. With a write-ahead log, a FULL commit also syncs all NORMAL ones before it."""
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
            raise sqlite3.DatabaseError("it was written by a newer parallel-mcp; upgrade this one")
        if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("it belongs to another program; set PARALLEL_MCP_STORE to another file")
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
        # After some errors SQLite has rolled back already, and after others it cannot.
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
    sqlite3.SQLITE_BUSY: "another program has locked the file. Close that program, or try again.",
    sqlite3.SQLITE_LOCKED: "another program has locked the file. Close that program, or try again.",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space, or set PARALLEL_MCP_STORE to a file elsewhere.",
    sqlite3.SQLITE_READONLY: "the file is not writable. Fix its permissions, or set PARALLEL_MCP_STORE.",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened. Fix its permissions, or set PARALLEL_MCP_STORE.",
    sqlite3.SQLITE_NOTADB: "the file is damaged or is not a SQLite file. Move it elsewhere, and a new one is created.",
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Move it elsewhere, and a new one is created.",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write the file.",
}


def _code(error: BaseException) -> int:
    """SQLite's primary result code, or 0."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or 'the file cannot be opened'}. Fix that, or set PARALLEL_MCP_STORE."
    if isinstance(error, ValueError):
        return "this version cannot read a row. Move the file elsewhere, and a new one is created."
    return _REASONS.get(_code(error), f"{error}.")


def _passing(error: Exception) -> bool:
    """Whether the connection is still usable: the file was only locked, or the disk only full."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
