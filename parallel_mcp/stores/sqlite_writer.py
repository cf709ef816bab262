"""One thread that owns a SQLite connection and commits waiting transactions together.

A commit costs a sync of the disk, and switching to a thread and back costs more CPU than a transaction, so all
waiting transactions share one of each.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

from parallel_mcp.errors import StoreFailed
from parallel_mcp.stores.sqlite_file import FileHeld, SQLiteFile

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""What one transaction does."""

BUSY_SECONDS = 5.0
"""How long a transaction waits for another program to release the file."""


POST_SECONDS = 0.02
"""How long a transaction that nobody waits for may be held back, to be committed with the next."""


class _Job(Generic[T]):
    """A transaction and its outcome. If nobody waits for it, `failing` is the text to log if it fails."""

    def __init__(self, work: Work[T], durable: bool, failing: str | None = None) -> None:
        self.work = work
        self.durable = durable
        self.failing = failing
        self.give_up_at = time.monotonic() + BUSY_SECONDS
        self.begun = self.withdrawn = False
        self.result: T | None = None
        self.error: Exception | None = None
        self.done = anyio.Event()
        self.loop = asyncio.get_running_loop()


class SQLiteWriter:
    """Runs transactions one after another in its own thread, which starts with the first one."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        self._news = threading.Condition()
        self._waiting: deque[_Job[Any]] = deque()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._flush: asyncio.TimerHandle | None = None

    async def run(self, work: Work[T], *, durable: bool) -> T:
        """The result of a transaction, once it is committed in full.

        A `durable` one is on the disk by then, with everything before it. Any other survives this process, but may be
        lost in a power failure. Raises what `work` raises, or StoreFailed. If cancelled before it has begun, it is
        skipped; if later, its result is returned all the same, because the caller has to know what it did.
        """
        job = _Job(work, durable)
        self._put(job)
        try:
            await job.done.wait()
        except anyio.get_cancelled_exc_class():
            with self._news:
                job.withdrawn = not job.begun
            if job.withdrawn:
                raise
            with anyio.CancelScope(shield=True):
                await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # without an error there is one

    def post(self, work: Work[object], failing: str) -> None:
        """Run a transaction that nobody waits for, with the next one or shortly. `failing` is logged if it fails."""
        self._put(_Job(work, durable=False, failing=failing), notify=False)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(POST_SECONDS, self._notify)

    def _notify(self) -> None:
        self._flush = None
        with self._news:
            self._news.notify()

    async def close(self) -> None:
        """Finish the waiting transactions, end the thread and close the file."""
        with self._news:
            thread, self._thread = self._thread, None
            if self._flush is not None:
                self._flush.cancel()
                self._flush = None
            self._closing = True
            self._news.notify()
        if thread is not None:
            await anyio.to_thread.run_sync(thread.join)
        self._file.close()

    def _put(self, job: _Job[Any], *, notify: bool = True) -> None:
        with self._news:
            self._waiting.append(job)
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._work, name="sqlite", daemon=True)
                self._thread.start()
            if notify:
                self._news.notify()

    def _work(self) -> None:
        while jobs := self._next():
            _deliver(self._commit(jobs))

    def _next(self) -> list[_Job[Any]]:
        """All waiting jobs, as soon as there are any. Empty when the writer closes."""
        with self._news:
            while not self._waiting and not self._closing:
                self._news.wait()
            jobs = list(self._waiting)
            self._waiting.clear()
            return jobs

    def _commit(self, jobs: list[_Job[Any]]) -> list[_Job[Any]]:
        """Run all jobs in one transaction. Returns those that are done or have failed."""
        try:
            self._transact(jobs)
        except FileHeld as error:
            return self._put_back(jobs, error)
        except StoreFailed as error:
            if len(jobs) > 1:
                # One of them may be too large: try each alone.
                return [done for job in jobs for done in self._commit([job])]
            jobs[0].error = error
        return jobs

    def _put_back(self, jobs: list[_Job[Any]], error: FileHeld) -> list[_Job[Any]]:
        """Queue jobs again that another program's lock has stopped. Returns those that have waited too long."""
        now = time.monotonic()
        with self._news:
            again = [job for job in jobs if now < job.give_up_at and not job.withdrawn]
            for job in again:
                job.begun = False
            self._waiting.extendleft(reversed(again))
        failed = [job for job in jobs if job not in again]
        for job in failed:
            job.error = error
        return failed

    def _transact(self, jobs: list[_Job[Any]]) -> None:
        with self._file.transaction(durable=any(job.durable for job in jobs)) as db:
            for job in jobs:
                with self._news:
                    job.begun = not job.withdrawn
                if job.begun:
                    self._perform(db, job)

    def _perform(self, db: sqlite3.Connection, job: _Job[Any]) -> None:
        """Run one job. An error of SQLite is raised and ends the whole transaction; any other fails only this job."""
        job.error = None
        try:
            with _savepoint(db):
                job.result = job.work(db)
        except (sqlite3.Error, OSError):
            raise
        except ValueError as error:
            job.error = self._file.failed(error)
            job.error.__cause__ = error
        except Exception as error:
            job.error = error


@contextmanager
def _savepoint(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("SAVEPOINT job")
    try:
        yield
    except BaseException:
        # After some errors SQLite has rolled everything back already.
        with contextlib.suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK TO job")
                db.execute("RELEASE job")
        raise
    db.execute("RELEASE job")


def _deliver(jobs: list[_Job[Any]]) -> None:
    """Wake those who wait for the jobs, once per event loop."""
    for job in jobs:
        if job.failing is not None and job.error is not None:
            logger.warning("%s: %s", job.failing, job.error)
    waited_for = [job for job in jobs if job.failing is None]
    for loop in {job.loop for job in waited_for}:
        # Nobody waits on a closed loop.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_wake, [job for job in waited_for if job.loop is loop])


def _wake(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.done.set()
