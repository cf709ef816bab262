"""Blocking pipes, read and written in whole lines. Standard library only, for the front."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 65_536


class Lines:
    """Splits bytes into whole lines, in time linear in the length of a line."""

    def __init__(self) -> None:
        self._half: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that these bytes complete."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._half.append(data)
            return []
        self._half.append(whole)
        batch = [line + b"\n" for line in b"".join(self._half).split(b"\n")]
        self._half = [rest]
        return batch

    def end(self) -> list[bytes]:
        """Return the rest, which has no newline."""
        return [b"".join(self._half)] if any(self._half) else []


def lines(fd: int) -> Iterator[list[bytes]]:
    """The lines from a descriptor, one list per read; only the last line may lack its newline.

    A closed or broken descriptor counts as its end.
    """
    cut = Lines()
    while data := read(fd):
        if batch := cut.feed(data):
            yield batch
    if batch := cut.end():
        yield batch


def read(fd: int) -> bytes:
    """Some bytes, or none at the end."""
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            # Some hosts pass a non-blocking descriptor.
            select.select([fd], [], [])
        except OSError:
            return b""


def write(fd: int, data: bytes) -> None:
    """Write all of it. Raises OSError if nobody reads any more."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [])


class Writer:
    """A thread that writes to a descriptor, so that nothing else has to wait for a full pipe.

    With a `lock` it shares the descriptor; without one it owns and closes it. If `held`, it writes nothing before
    `release`. If `eager`, nothing else uses the pipe, and `put` writes directly what it has room for. It ends at
    `close`, or when a write fails, which also calls `broken`.
    """

    def __init__(
        self,
        fd: int,
        lock: threading.Lock | None = None,
        *,
        held: bool = False,
        eager: bool = False,
        broken: Callable[[], None] = lambda: None,
    ) -> None:
        self._fd = fd
        self._eager = eager and os.name == "posix"
        if self._eager:
            os.set_blocking(fd, False)
        self._lock = lock
        self._broken = broken
        self._held = held
        self._open = True
        self._busy = False
        self._queue: deque[bytes] = deque()
        self._news = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, data: bytes, most: int | None = None) -> None:
        """Queue the data, unless `most` pieces are waiting already."""
        with self._news:
            if not self._open or (most is not None and len(self._queue) >= most):
                return
            if self._eager and not (self._held or self._busy or self._queue):
                data = self._rest(data)
            if data:
                self._queue.append(data)
                self._news.notify_all()

    def _rest(self, data: bytes) -> bytes:
        """The data that the pipe had no room for, or all of it if the pipe is broken, which the thread notices."""
        try:
            return data[os.write(self._fd, data) :]
        except OSError:
            return data

    def take_back(self, data: bytes) -> bool:
        """Remove a piece from the queue. Returns False if it has been written already."""
        with self._news:
            try:
                self._queue.remove(data)
            except ValueError:
                return False
            return True

    def release(self) -> None:
        """Start writing what has been queued."""
        with self._news:
            self._held = False
            self._news.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until everything is written, for at most `seconds`."""
        with self._news:
            self._news.wait_for(lambda: not (self._queue or self._busy), seconds)

    def close(self) -> None:
        """Write nothing more, and drop the queue."""
        with self._news:
            self._open = False
            self._queue.clear()
            self._news.notify_all()

    def _run(self) -> None:
        while data := self._next():
            try:
                if self._lock is None:
                    write(self._fd, data)
                else:
                    with self._lock:
                        write(self._fd, data)
            except OSError:
                self.close()
                self._broken()
        if self._lock is None:
            os.close(self._fd)

    def _next(self) -> bytes:
        """Wait for data, and return all that is queued; nothing if closed."""
        with self._news:
            self._busy = False
            self._news.notify_all()
            while self._open and (self._held or not self._queue):
                self._news.wait()
            data = b"".join(self._queue)
            self._queue.clear()
            self._busy = True
            return data
