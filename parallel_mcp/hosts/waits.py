"""How long a call may wait, by the table of hosts, or less if a client has given up earlier than that."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parallel_mcp.hosts.table import call_limit

logger = logging.getLogger(__name__)

UNKNOWN_SECONDS = 25.0
"""For unknown clients: 30 s is a common limit."""

SHORTEST_SECONDS = 1.0
AGAIN_SECONDS = 4.0
"""If a question is asked again this long after a call for it that still waits, the host gave up on the first call."""

REMEMBERED_SECONDS = 86_400.0


class Client(NamedTuple):
    """A caller, and the name that its client gives itself."""

    caller: str
    name: str


class Learned(NamedTuple):
    """How long the next calls may wait, and when that was learned, as a Unix timestamp."""

    seconds: float
    at: float


class Waits:
    """How long each client's calls wait. If `fixed` is set, it is used for all, and nothing is learned.

    What is learned is used for a day.
    """

    def __init__(self, fixed: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fixed = fixed
        self._clock = clock
        self._file: Path | None = None
        self._learned: dict[Client, Learned] = {}
        self._waiting: dict[tuple[Client, str], float] = {}

    def keep_in(self, file: Path | None) -> None:
        """Load what was learned from a file, and keep it there: some hosts start a process for each call."""
        self._file = file
        self._learned = _kept(file)

    def seconds(self, client: Client) -> float:
        """How long a call of this client may wait now."""
        if self._fixed is not None:
            return self._fixed
        limit = call_limit(client.name)
        usual = UNKNOWN_SECONDS if limit is None else before(limit)
        learned = self._learned.get(client)
        lately = learned is not None and time.time() - learned.at < REMEMBERED_SECONDS
        return min(usual, learned.seconds) if learned is not None and lately else usual

    @contextmanager
    def call(self, client: Client, asked: str) -> Iterator[float]:
        """How long a call for `asked` may wait. If the block is cancelled, the host gave up on the call."""
        began = self._clock()
        earlier = self._waiting.get((client, asked), began)
        if began - earlier >= AGAIN_SECONDS:
            self._given_up(client, began - earlier)
        self._waiting[client, asked] = began
        try:
            yield self.seconds(client)
        except Exception:
            raise
        except BaseException:
            # Cancelled by a notification from the host, or because its connection ended.
            self._given_up(client, self._clock() - began)
            raise
        finally:
            if self._waiting.get((client, asked)) == began:
                del self._waiting[client, asked]

    def _given_up(self, client: Client, after: float) -> None:
        if self._fixed is not None or before(after) >= self.seconds(client):
            return
        self._learned[client] = Learned(before(after), time.time())
        logger.info("A client gave up on a call after %.0f s; the next ones wait %.0f s", after, before(after))
        _keep(self._file, self._learned)


def before(limit: float) -> float:
    """A wait that leaves time for the answer to arrive within a limit."""
    return max(SHORTEST_SECONDS, limit - max(1.0, min(15.0, limit / 4)))


def _kept(file: Path | None) -> dict[Client, Learned]:
    try:
        lines = json.loads(file.read_text("utf-8")) if file is not None else []
        return {Client(caller, name): Learned(float(seconds), float(at)) for caller, name, seconds, at in lines}
    except (OSError, ValueError, TypeError):
        return {}


def _keep(file: Path | None, learned: dict[Client, Learned]) -> None:
    """Write it, merged with what other processes have written. It may be lost: the next call given up relearns it."""
    if file is None:
        return
    lines = [[*client, *what] for client, what in {**_kept(file), **learned}.items() if _is_recent(what)]
    new = file.with_suffix(f".{os.getpid()}")
    try:
        new.touch(0o600)
        new.write_text(json.dumps(lines), "utf-8")
        new.replace(file)
    except OSError as error:
        logger.info("How long hosts wait could not be saved: %s", error.strerror)


def _is_recent(learned: Learned) -> bool:
    return time.time() - learned.at < REMEMBERED_SECONDS
